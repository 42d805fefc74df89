"""What an expand revision needs of the releases before it, in its module's words, and why it may not be applied yet.

    migrations = "migrate_flavor_data"   # data migrations that are proven and finalized
    contracts = "0002c"                  # contract revisions that are purged

A database on which nobody has worked yet needs neither: there is no row in an old form, and nobody who writes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from alembic.script.base import Script
from sqlalchemy import Connection, exists, select

from midflight.db import forms, journal, tables
from midflight.db.schema.line import Line, names_in
from midflight.db.schema.refusals import unproven
from midflight.errors import ProjectError, StepBlocked

_WHENCE = "from a copy of the release before"
"""This one may have forgotten them."""

APPLIED: Final = "schema.revision_applied"
"""The journal's kind of entry for an expand revision that was applied."""


def against(connection: Connection, line: Line, pending: Iterable[Script]) -> list[str]:
    """What stands against these revisions, each with its way out; ``[]`` where nothing does.

    Raises ProjectError for a contract revision that is in no file.
    """
    found = [(script, list(_against(connection, line, script))) for script in pending]
    if all(not reasons for _, reasons in found) or is_new(connection, line):
        return []
    return [f"{script.revision}: {reason}" for script, reasons in found for reason in reasons]


def refuse(connection: Connection, line: Line, pending: Sequence[Script]) -> None:
    """Raises StepBlocked, before any of these revisions is applied."""
    if reasons := against(connection, line, pending):
        step = f"Expanding by {', '.join(script.revision for script in pending)}"
        raise StepBlocked(step=step, reason="; ".join(reasons))


def is_new(connection: Connection, line: Line) -> bool:
    """Whether all that is there was made by midflight, and no process of any release has ever worked with it."""
    for table in (tables.schema, tables.members):
        if connection.execute(select(exists().select_from(table))).scalar_one():
            return False
    applied = {entry.facts["revision"] for entry in journal.read(connection, kind=APPLIED)}
    return all(script.revision in applied for script in line.applied(connection))


def settle(connection: Connection, script: Script) -> None:
    """On a new database, what a revision needs is settled: rows have their new forms from the first one on."""
    forms.begin_new(connection, names_in(script, "migrations"))


def _against(connection: Connection, line: Line, script: Script) -> Iterator[str]:
    for reason in unproven(connection, names_in(script, "migrations")):
        yield f"{reason}, {_WHENCE}"
    for name in names_in(script, "contracts"):
        if not line.files.has(name):
            raise ProjectError(where=script.path, reason=f"contracts names revision {name}, which is in no file")
        state = _state(connection, name)
        if state != "purged":
            words = f"contract revision {name} is {state or 'waiting'}, and not purged"
            yield f"{words}: midflight db contract --purge, {_WHENCE}"


def _state(connection: Connection, revision: str) -> str | None:
    state = select(tables.contracts.c.state).where(tables.contracts.c.revision == revision)
    return connection.execute(state).scalar_one_or_none()
