"""Which releases use what of a schema: what they have frozen, and what this code has."""

from __future__ import annotations

from midflight.conductor.contract import release_of
from midflight.db.schema import frozen_tables
from midflight.db.schema.refusals import Reader
from midflight.project import Project
from midflight.versions import places


def readers(project: Project) -> list[Reader]:
    """The frozen releases, oldest first, and this code as the last one. Raises ProjectError for a file that is none."""
    own = release_of(project)
    frozen = [each for each in project.releases if each.name != own]
    at = places(project.releases)
    last = max((each.sequence for each in project.releases), default=0) + 1
    found = [Reader(each.name, at[each.name], _things(project, each.name)) for each in frozen]
    code = frozen_tables.of_code(own, project.tables).things if project.tables is not None else frozenset[str]()
    return [*found, Reader(own, at.get(own, (last, last)), code)]


def _things(project: Project, release: str) -> frozenset[str] | None:
    tables = frozen_tables.read(project.schema, release) if project.schema else None
    return tables.things if tables is not None else None
