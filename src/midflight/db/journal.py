"""The fleet's record of what was done to it. Entries are only added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from midflight.db.clock import now
from midflight.db.tables import journal

_TURN = 0x6D66_0001
"""The advisory lock of a PostgreSQL's database under which entries are added; any number that nobody else takes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One act or event. ``id`` is its place in the order."""

    id: int
    at: datetime
    kind: str
    facts: dict[str, Any]


def write(connection: Connection, kind: str, facts: Mapping[str, Any]) -> int:
    """Add an entry in the caller's transaction, so that it is kept if and only if the act is. Returns its id.

    Facts are plain JSON values. Ids are in the order of the commits: whoever has read up to one has missed nothing, so
    where transactions run at once, they take their turns from here to their ends.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
    added = insert(journal).values(at=now(), kind=kind, facts=dict(facts)).returning(journal.c.id)
    return int(connection.execute(added).scalar_one())


def read(
    connection: Connection, since: int | datetime | None = None, kind: str | None = None, latest: int | None = None
) -> list[Entry]:
    """Entries, oldest first: those after an entry's id, or from a time on, or all; of one kind, or of all kinds; of
    these the ``latest`` so many, or all."""
    wanted = select(journal.c.id, journal.c.at, journal.c.kind, journal.c.facts).order_by(journal.c.id.desc())
    if isinstance(since, datetime):
        wanted = wanted.where(journal.c.at >= since)
    elif since is not None:
        wanted = wanted.where(journal.c.id > since)
    if kind is not None:
        wanted = wanted.where(journal.c.kind == kind)
    return [Entry(*row) for row in connection.execute(wanted.limit(latest))][::-1]
