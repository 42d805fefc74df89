"""A project with a hundred thousand instances, for tests/test_large_results.py: its conductor, and a script that walks
through all of them, run in processes of their own."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import Meta
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select

import midflight
from midflight import Context, ObjectList, Project, VersionedObject, from_rows, remotable

metadata = MetaData()
instances = Table("instances", metadata, Column("number", Integer, primary_key=True), Column("note", String))

TOTAL = 100_000
NOTE = "x" * 200


class Instance(VersionedObject, version="1.0"):
    number: int
    note: str


class InstanceList(ObjectList[Instance], version="1.0"):
    @classmethod
    @remotable
    async def everything(
        cls, context: Context, after: int | None = None, limit: Annotated[int, Meta(ge=1, le=5_000)] = 500
    ) -> Self:
        return from_rows(cls, await context.db.read(_page, after, limit), context=context)


def _page(connection: Connection, after: int | None, limit: int) -> Any:
    page = select(instances).order_by(instances.c.number).limit(limit)
    if after is not None:
        page = page.where(instances.c.number > after)
    return connection.execute(page).mappings().all()


def fill(connection: Connection) -> None:
    """Make the table, and its rows."""
    metadata.create_all(connection)
    rows = [{"number": number, "note": NOTE} for number in range(TOTAL)]
    connection.execute(insert(instances), rows)


project = Project("large", objects=[Instance, InstanceList])


def walk(config: Path, limit: int) -> None:
    """Count and sum all instances, and say so as JSON, with the megabytes that this process took for it; a line for
    each page, so that whoever reads knows how far we are."""
    with midflight.connect(project, config) as fleet:
        pages = fleet.each(InstanceList.pages(InstanceList.everything, fleet.context, key="number", limit=limit))
        before, count, total = 0.0, 0, 0
        for page in pages:
            before = before or peak()
            count, total = count + len(page), total + sum(instance.number for instance in page)
            say(at=count)
        say(count=count, sum=total, grown_mb=peak() - before)


def say(**facts: float) -> None:
    """For whoever reads what we write."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def peak() -> float:
    """Megabytes of memory that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    walk(Path(sys.argv[1]), int(sys.argv[2]))
