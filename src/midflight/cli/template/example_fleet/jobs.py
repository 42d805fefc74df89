"""The object: a job that somebody asked for. Its remotables run where the database is, whoever awaits them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import Connection, insert, select, update

from example_fleet.migrations import count_words, words_of
from example_fleet.tables import jobs
from midflight import Context, ObjectList, VersionedObject, check_expected, from_row, remotable, to_row

WAITING, HANDED_OUT, DONE = "waiting", "handed out", "done"


class Job(VersionedObject, version="1.0"):
    """A text that is to be shouted. ``words`` is counted from it."""

    id: int | None = None
    text: str
    words: int = 0
    state: str = WAITING
    result: str | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context, id: int) -> Job:
        """One job. Raises LookupError."""
        found: list[Job] = await context.db.read(_fetch, context, {"id": id})
        if not found:
            raise LookupError(f"no job {id}")
        return found[0]

    @remotable
    async def create(self) -> None:
        """Keep a new job, which waits for a worker."""
        self.words = words_of(self.text)
        self.id = await self.context.db.write(_insert, to_row(self, only_changes=True))
        self.reset_changes()

    @remotable
    async def save(self, expect: dict[str, str] | None = None) -> None:
        """Keep what changed, and nothing else. Raises LookupError, and Conflict if the row has not what is expected."""
        await self.context.db.write(_update, self.id, to_row(self, only_changes=True), expect or {})
        self.reset_changes()


class JobList(ObjectList[Job], version="1.0"):
    """Jobs, in the order in which they came."""

    @classmethod
    @remotable
    async def all(cls, context: Context) -> Self:
        """Every job that there is."""
        return from_row(cls, {}, objects=await context.db.read(_fetch, context, {}), context=context)

    @classmethod
    @remotable
    async def waiting(cls, context: Context) -> Self:
        """Those that no worker has been told of."""
        return from_row(cls, {}, objects=await context.db.read(_fetch, context, {"state": WAITING}), context=context)


# What follows runs inside a transaction, on its connection: a plain function that awaits nothing.


def _fetch(connection: Connection, context: Context, by: Mapping[str, Any]) -> list[Job]:
    rows = connection.execute(select(jobs).filter_by(**by).order_by(jobs.c.id)).mappings().all()
    reads_new = context.db.form(count_words.name).reads_new
    return [
        from_row(Job, {**row, "words": row["words"] if reads_new else words_of(row["text"])}, context=context)
        for row in rows
    ]


def _insert(connection: Connection, values: Mapping[str, Any]) -> int:
    id: int = connection.execute(insert(jobs).values(**values).returning(jobs.c.id)).scalar_one()
    return id


def _update(connection: Connection, id: int, changes: Mapping[str, Any], expect: Mapping[str, str]) -> None:
    row = connection.execute(select(jobs).filter_by(id=id)).mappings().first()
    if row is None:
        raise LookupError(f"no job {id}")
    check_expected(Job, dict(row), expect)
    if "text" in changes:
        changes = {**changes, "words": words_of(changes["text"])}
    if changes:
        connection.execute(update(jobs).filter_by(id=id).values(**changes))
