"""`db lint`: the revisions of a project, tried out against the releases of its skew window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midflight.conductor.contract import release_of
from midflight.db.clock import now
from midflight.db.cluster import lent
from midflight.db.lint import facts
from midflight.db.lint.linter import Linted, Linter
from midflight.db.schema import frozen_tables
from midflight.project import Project
from midflight.upgrade.window import window_of


@dataclass(frozen=True)
class Linting:
    """What was found in each revision, and the releases whose tables are not frozen, so that they were not tried."""

    linted: list[Linted]
    untried: list[str]


def lint(project: Project, schema: Path, scratch: str | None = None) -> Linting:
    """Try all revisions in ``schema`` out on the empty PostgreSQL database ``scratch``, which is used up, or on a
    server that is started for it. Raises ProjectError, UsageError, MissingProgram and MissingExtra."""
    frozen = {release.name: frozen_tables.read(schema, release.name) for release in window_of(project).releases}
    own = frozen_tables.of_code(release_of(project), project.tables) if project.tables is not None else None
    with lent(scratch) as url:
        there = [tables for tables in frozen.values() if tables]
        linter = Linter(url, schema, there, own, facts=facts.read(schema), today=now().date())
        return Linting(linter.run(), [name for name, tables in frozen.items() if tables is None])
