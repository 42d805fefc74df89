"""The report of a rehearsal: what each step of an upgrade took, kept beside the frozen releases under the digest of the
code with which it was rehearsed, so that a gate can tell whether that is the code that is to be deployed."""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from midflight import toml
from midflight.errors import ProjectError
from midflight.project import Project

FOLDER = "rehearsed"
"""In the folder of the frozen releases."""

_HEADER = "# What `midflight upgrade rehearse` has seen, with this code. Commit it; never edit it.\n"


class StepTaken(msgspec.Struct, kw_only=True):
    """One step: how long it and its way back took, in seconds, and what its gate said then. ``back`` is null where
    there is no way back to try."""

    name: str
    seconds: float
    back: float | None = None
    gate: str
    because: list[str] = []
    """What did not pass."""


class Report(msgspec.Struct, kw_only=True):
    """One rehearsal. ``failed`` is empty where the whole road was gone."""

    previous: str
    target: str
    code: str
    """The digest of the code of the target."""
    at: str
    data: str
    """What its rows were."""
    failed: str = ""
    steps: list[StepTaken] = []
    translations: dict[str, int] = {}
    """``Instance 1.17 1.16``: an object, and the versions from and to which conductors made it; how many."""
    rows: dict[str, int] = {}
    """Table → rows, as many as production has, with which ``expand_seconds`` was measured; empty where it was not."""
    expand_seconds: float | None = None
    lint: dict[str, list[str]] = {}
    """Revision that was applied → what `midflight db lint` has found in it: locks, rewrites, scans."""


@dataclass(frozen=True)
class Doubt:
    """Why nobody may rely on a rehearsal, in words; empty where one may."""

    words: str = ""
    failed: bool = False
    """Whether it was rehearsed with this code, and failed."""


def make_room(project: Project, target: str) -> Path:
    """The file in which the report of a release's rehearsal can be kept. Raises ProjectError where none can be written,
    also for a project without a folder for releases."""
    path = _path(project, target)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as wrong:
        raise _unwritable(path.parent, wrong.strerror) from None
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, "you may not")
    return path


def write(project: Project, report: Report) -> Path:
    """Keep it, in place of an earlier one. Raises ProjectError where it cannot be written."""
    path = make_room(project, report.target)
    text = f"{_HEADER}\n{toml.dumps(_known(msgspec.to_builtins(report)))}"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise _unwritable(path, wrong.strerror) from None
    return path


def _unwritable(path: Path, reason: str | None) -> ProjectError:
    return ProjectError(where=str(path), reason=f"a rehearsal's report cannot be written there: {reason}")


def read(project: Project, target: str) -> Report | None:
    """What was kept of the rehearsal of a release. Raises ProjectError for a file that says something else."""
    path = _path(project, target)
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Report)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as wrong:
        raise ProjectError(where=str(path), reason=f"has no report of a rehearsal: {wrong}") from None


def doubt(project: Project, target: str, starts: Collection[str]) -> Doubt:
    """Why nobody may rely on a rehearsal of this code's upgrade to a release, which may begin at ``starts``."""
    try:
        report = read(project, target)
    except ProjectError as wrong:
        return Doubt(f"may have been rehearsed or not: {wrong}")
    if report is None:
        return Doubt("was never rehearsed")
    if report.previous not in starts:
        expected = " or ".join(starts) or "a release before it"
        return Doubt(f"was rehearsed from {report.previous}, not from {expected}")
    if report.code != code_digest(project):
        return Doubt(f"was rehearsed at {report.at}, and the code has changed since")
    return Doubt(f"failed when it was rehearsed: {report.failed}", failed=True) if report.failed else Doubt()


def code_digest(project: Project) -> str:
    """Of midflight's version, all Python files of the packages in which the project's parts are, its revisions and its
    frozen releases: of exactly this code. What is beside the code, like a template of a page, is not in it."""
    digest = hashlib.sha256(f"midflight {version('midflight')}".encode())
    for name, path in sorted(_files(project)):
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(project: Project) -> Iterator[tuple[str, Path]]:
    """Each by a name that does not say where the copy of the code lies."""
    for package in sorted(_packages(project)):
        for folder in _folders(package):
            yield from _named(package, folder, "**/*.py")
    if project.schema is not None:
        yield from _named("schema", project.schema, "**/*.py")
    if project.releases_dir is not None:
        yield from _named("releases", project.releases_dir, "*.toml")


def _named(what: str, folder: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    for path in folder.glob(pattern) if folder.is_dir() else [folder]:
        yield f"{what}/{path.relative_to(folder)}", path


def _packages(project: Project) -> set[str]:
    """The outermost ones, in which whatever the project was given is defined."""
    runs = [service.run for service in project.services.values()]
    parts = [
        *project.registry.objects.values(), *(spec.cls for spec in project.contract.interfaces.values()),
        *project.migrations.values(), *runs,
    ]  # fmt: skip
    modules = [part if isinstance(part, str) else getattr(part, "__module__", "") for part in parts]
    return {module.partition(":")[0].partition(".")[0] for module in modules} - {"", "midflight"}


def _folders(package: str) -> list[Path]:
    """Where its files are; of a single module, that file."""
    module = sys.modules.get(package)
    found = module.__spec__ if module is not None and module.__spec__ is not None else find_spec(package)
    if found is None:
        return []
    if found.submodule_search_locations is not None:
        return [Path(folder) for folder in found.submodule_search_locations]
    return [Path(found.origin)] if found.origin else []


def _path(project: Project, target: str) -> Path:
    if project.releases_dir is None:
        raise ProjectError(where=f"project {project.name}", reason="has no folder for releases: Project(releases=…)")
    return project.releases_dir / FOLDER / f"{target}.toml"


def _known(value: Any) -> Any:
    """Without what is not known: TOML has no word for that."""
    if isinstance(value, list):
        return [_known(each) for each in value]
    if isinstance(value, dict):
        return {name: _known(each) for name, each in value.items() if each is not None}
    return value
