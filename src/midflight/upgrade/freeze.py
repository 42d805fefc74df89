"""Freeze a release: write down, for people to review, all that a project's code can say, and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midflight.db.schema import frozen_tables
from midflight.errors import StepBlocked, UsageError
from midflight.objects.contract import Words
from midflight.project import Project
from midflight.upgrade.check import check
from midflight.upgrade.frozen import KINDS, path_of, read, render
from midflight.upgrade.wording import differences, project_in_words
from midflight.versions import Release

_SHOWN = 12


@dataclass(frozen=True)
class Frozen:
    """A frozen file, and whether it was written now or was there already with the same content."""

    path: Path
    sequence: int
    written: bool


def freeze(project: Project, name: str) -> Frozen:
    """Freeze the project's code as release ``name``; done already with the same content, nothing happens.

    Raises StepBlocked when the release is frozen with another content, or when `release check` finds something against
    the releases in the skew window; UsageError for an impossible name; ProjectError without a folder for releases.
    """
    path = path_of(project, name)
    _has_a_family(project, name)
    content = project_in_words(project)
    if path.exists():
        return _same(path, name, content, tables_written=_freeze_tables(project, name))
    _nobody_breaks(project, name)
    _freeze_tables(project, name)
    sequence = max((release.sequence for release in project.releases), default=0) + 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(name, sequence, content))
    return Frozen(path, sequence, written=True)


def _has_a_family(project: Project, name: str) -> None:
    """A fix is the fix of a release."""
    family, known = Release.family_of(name), [release.name for release in project.releases]
    if family not in (name, *known):
        reason = f"{name} would be a fix of {family}, which is not frozen; frozen are {', '.join(known) or 'none'}"
        raise UsageError(reason=reason)


def _freeze_tables(project: Project, name: str) -> bool:
    """Beside the revisions, so that a change of the schema is held against them. Says whether they were written now."""
    if project.schema is None or project.tables is None:
        return False
    now, before = frozen_tables.of_code(name, project.tables), frozen_tables.read(project.schema, name)
    if before is None:
        frozen_tables.write(project.schema, now)
    elif before != now:
        path = frozen_tables.folder_of(project.schema) / f"{name}.toml"
        reason = f"the code has other tables than {path}. Freeze it under a new name"
        raise StepBlocked(step=f"Freezing {name}", reason=reason)
    return before is None


def _same(path: Path, name: str, content: Words, *, tables_written: bool) -> Frozen:
    frozen = read(path)
    if different := differences(_content(frozen), content):
        reason = f"the code says something else than {path}: {_list(different)}. Freeze it under a new name"
        raise StepBlocked(step=f"Freezing {name}", reason=reason)
    return Frozen(path, frozen["sequence"], written=tables_written)


def _content(frozen: Words) -> Words:
    return {kind: frozen.get(kind, {}) for kind in KINDS}


def _nobody_breaks(project: Project, name: str) -> None:
    """midflight's own objects and interfaces are left out: their versions are not for a project to raise."""
    found = [f"{finding.path}: {finding.change}, due {finding.due}" for finding in check(project, name).findings]
    if found:
        reason = f"peers in the skew window would break: {_list(found)}. `midflight release check` has the suggestions"
        raise StepBlocked(step=f"Freezing {name}", reason=reason)


def _list(lines: list[str]) -> str:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "; ".join([*lines[:_SHOWN], *more])
