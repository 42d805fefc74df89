"""The file of a frozen release: what it says, and its text.

The file is the release. It names every field to the last element of its type, every remotable, every endpoint and every
named backport, so that a review sees what an older peer will meet; `Release.load` reads the versions out of it.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from midflight.conductor.contract import FRAMEWORK
from midflight.errors import ProjectError, UsageError
from midflight.objects.contract import Words
from midflight.project import Project
from midflight.upgrade.reading import Said, said

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[0-9]+)?")
_LONGEST = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")

KINDS = ("objects", "interfaces", "errors")
"""The tables of a frozen file."""

HEADER = """\
# What release {name} understands, written by `midflight release freeze {name}`.
# Review it; never edit it: a running fleet may be pinned to it.
"""
FRAMEWORK_HEADER = "\n\n# What midflight itself says on the wire; its versions are not yours to raise.\n"


def path_of(project: Project, name: str) -> Path:
    """Where a release of this name is frozen. Raises UsageError for an impossible name, ProjectError without a folder
    for releases."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        expected = f"up to {_LONGEST} letters, digits, - and _: kilo, or kilo.1"
        raise UsageError(reason=f"received release name {name[:_LONGEST]!r}, expected {expected}")
    if project.releases_dir is None:
        reason = "has no folder for releases: Project(releases=Path(…))"
        raise ProjectError(where=f"project {project.name}", reason=reason)
    return project.releases_dir / f"{name}.toml"


def frozen(project: Project, name: str) -> Said:
    """What one of the project's releases says, without midflight's own words. Raises ProjectError."""
    path = path_of(project, name)
    words = read(path)
    try:
        return said(words)
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ProjectError(where=str(path), reason=f"is no frozen release: {wrong!r}") from None


def read(path: Path) -> Words:
    """The words of a frozen file. Raises ProjectError."""
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as wrong:
        raise ProjectError(where=str(path), reason=f"is no frozen release: {wrong}") from None


def render(name: str, sequence: int, content: Words) -> str:
    """The text of a frozen file; the same words give the same text."""
    head = HEADER.format(name=name) + f"\nrelease = {_string(name)}\nsequence = {sequence}\n"
    things = [(kind, thing) for kind in ("objects", "interfaces") for thing in content[kind]]
    own, framework = (_tables(content, things, mine) for mine in (False, True))
    errors = _table(["errors"], content["errors"]) if content.get("errors") else ""
    return head + own + errors + (framework and FRAMEWORK_HEADER + framework)


def _tables(content: Words, things: list[tuple[str, str]], framework: bool) -> str:
    chosen = ((kind, thing) for kind, thing in things if (thing in FRAMEWORK) is framework)
    return "".join(_table([kind, thing], content[kind][thing]) for kind, thing in chosen)


def _table(path: list[str], words: Words) -> str:
    """A table with its values first, then the tables inside it."""
    values = [f"{_key(name)} = {_value(value)}\n" for name, value in words.items() if not isinstance(value, dict)]
    inner = [_table([*path, name], value) for name, value in words.items() if isinstance(value, dict)]
    head = f"\n[{'.'.join(map(_key, path))}]\n" if values or not inner else ""
    return head + "".join(values) + "".join(inner)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _value(value: str | list[str]) -> str:
    return _string(value) if isinstance(value, str) else f"[{', '.join(map(_string, value))}]"


def _string(text: str) -> str:
    """A basic string of TOML: JSON's escapes are TOML's, but for one character that only TOML forbids."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
