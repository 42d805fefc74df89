"""The file of a frozen release: what it says, and its text.

The file is the release. It names every field to the last element of its type, every remotable, every endpoint and every
named backport, so that a review sees what an older peer will meet; `Release.load` reads the versions out of it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from midflight import toml
from midflight.conductor.contract import FRAMEWORK
from midflight.errors import ProjectError, UsageError
from midflight.objects.contract import Words
from midflight.project import Project
from midflight.upgrade.reading import Said, said

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[0-9]+)?")
_LONGEST = 100

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
    own, framework = _part(content, framework=False), _part(content, framework=True)
    errors = {"errors": content["errors"]} if content.get("errors") else {}
    text = f"{HEADER.format(name=name)}\n{toml.dumps({'release': name, 'sequence': sequence, **own, **errors})}"
    return f"{text}{FRAMEWORK_HEADER}\n{toml.dumps(framework)}" if framework else text


def _part(content: Words, *, framework: bool) -> Words:
    """What is midflight's own, or what is not."""
    found = {kind: {thing: words for thing, words in content[kind].items() if (thing in FRAMEWORK) is framework}
             for kind in ("objects", "interfaces")}  # fmt: skip
    return {kind: things for kind, things in found.items() if things}
