"""``midflight init``: a project that runs and passes its tests at once.

What it copies lies in ``template/`` beside this file: a real project, whose name is replaced by the new one's.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

from midflight.cli.options import Json
from midflight.cli.output import Output
from midflight.errors import UsageError
from midflight.project import load_project
from midflight.upgrade.freeze import freeze

TEMPLATE = Path(__file__).parent / "template"
NAME_IN_TEMPLATE = "example_fleet"
FIRST_RELEASE = "v1"
_NAME = re.compile(r"[a-z]([a-z0-9_]{0,38}[a-z0-9])?")
_TAKEN = {path.name for path in TEMPLATE.iterdir()} - {NAME_IN_TEMPLATE} | {"conftest", "releases", "var"}
"""What the project itself has beside its package: the template's, and what comes later."""
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".hypothesis", "var")


def init(name: str, /, *, json: Json = False) -> int:
    """Make a project in a new folder NAME, with everything that a project has: one object and one interface, a service
    with and one without the database, a data migration, a frozen release, tests, a Makefile, CI and systemd units.

    It runs, and passes its tests, at once.

    Parameters
    ----------
    name
        What the project, its package and its folder are called: lower-case letters, digits and _, but no _ at the end.
    """
    out = Output(json=json)
    folder = Path(name)
    _check(name, folder)
    made = _make(name, folder)
    out.mark("done", f"{folder}/ with {len(made)} files")
    nexts = [f"cd {name}", "make test", "make up"]
    out.say("next:")
    for line in nexts:
        out.say(f"  {line}")
    out.document({"folder": str(folder), "written": made, "next": nexts})
    return 0


def _check(name: str, folder: Path) -> None:
    """Raises UsageError for a name that could not work, before anything is written."""
    if not _NAME.fullmatch(name):
        expected = "a lower-case letter, then at most 39 lower-case letters, digits and _, and no _ at the end"
        raise UsageError(reason=f"received {name!r} as the name of a project, expected {expected}")
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TAKEN:
        taken = "a word of Python's, or a file or folder that each project has"
        raise UsageError(reason=f"{name} is {taken}: choose another name")
    if folder.exists() or folder.is_symlink():
        raise UsageError(reason=f"{folder.absolute()} exists already, and nothing was written: choose another name")
    if (found := importlib.util.find_spec(name)) is not None:
        raise UsageError(reason=f"there is a package {name} already ({found.origin}): choose another name")


def _make(name: str, folder: Path) -> list[str]:
    """The files of the new project, relative to its folder. What is half made goes again."""
    try:
        folder.mkdir()
    except OSError as wrong:
        raise UsageError(reason=f"{folder.absolute()} cannot be made: {wrong.strerror}") from None
    try:
        shutil.copytree(TEMPLATE, folder, ignore=_IGNORED, dirs_exist_ok=True)
        for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
            _rename(path, name)
        _freeze(name, folder)
    except OSError as wrong:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(reason=f"{folder.absolute()} cannot be written: {wrong.strerror}") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _rename(path: Path, name: str) -> None:
    if path.is_file():
        path.write_text(path.read_text().replace(NAME_IN_TEMPLATE, name))
    if NAME_IN_TEMPLATE in path.name:
        path.rename(path.with_name(path.name.replace(NAME_IN_TEMPLATE, name)))


def _freeze(name: str, folder: Path) -> None:
    """The first release is what the code says, beside midflight's own interfaces as they are here."""
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder.absolute()))
    try:
        freeze(load_project(f"{name}.project:project"), FIRST_RELEASE)
    finally:
        sys.path.remove(str(folder.absolute()))
        sys.dont_write_bytecode = bytecode
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]
