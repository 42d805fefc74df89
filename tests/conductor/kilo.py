"""The newer release: a machine has a note, a look may be loud, and a data migration moves names into notes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from midflight.context import Context
from midflight.migrations.online import Deferred, Row, RowContext, data_migration
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.lists import ObjectList
from midflight.objects.remote import remotable
from midflight.objects.wire import from_row
from midflight.project import Project, Runtime, Service
from midflight.rpc.interface import Interface, endpoint, param
from tests.conductor.juno import OutOfOrder, add, change, changed_columns, row_of, rows_at, run_api
from tests.conductor.tables import metadata


class Disk(VersionedObject, version="1.1"):
    gigabytes: int
    encrypted: bool = field(default=False, since="1.1")


class Machine(VersionedObject, version="1.1"):
    name: str = field(read_only=True)
    host: str | None = None
    boots: int = 0
    disk: Disk | None = None
    note: str | None = field(default=None, since="1.1")

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        return from_row(cls, await context.db.read(row_of, name), context=context)

    @remotable
    async def create(self) -> None:
        await self.context.db.write(add, changed_columns(self))
        self.reset_changes()

    @remotable
    async def save(self) -> list[str]:
        changed = changed_columns(self)
        await self.context.db.write(change, self.name, changed)
        self.reset_changes()
        return sorted(changed)


class MachineList(ObjectList[Machine], version="1.0"):
    @classmethod
    @remotable
    async def get_by_host(cls, context: Context, host: str) -> Self:
        rows = await context.db.read(rows_at, host)
        return cls(objects=[from_row(Machine, row, context=context) for row in rows], context=context)


class ComputeAPI(Interface, Protocol, topic="compute", version="3.36"):
    @endpoint(since="3.35")
    async def look(self, context: Context, machine: Machine, loud: bool = param(False, since="3.36")) -> str: ...

    @endpoint(since="3.35")
    async def wait(self, context: Context) -> str: ...

    @endpoint(since="3.36")
    async def sing(self, context: Context) -> str: ...


class Agent(ComputeAPI):
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.looked: list[Machine] = []

    async def look(self, context: Context, machine: Machine, loud: bool = False) -> str:
        self.looked.append(machine)
        return self.runtime.host.upper() if loud else self.runtime.host

    async def wait(self, context: Context) -> str:
        return "done"

    async def sing(self, context: Context) -> str:
        return "la"


@asynccontextmanager
async def run_agent(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Agent(runtime)]


@data_migration(release="kilo", table="machines", key="name", proof="note IS NOT NULL")
def names_become_notes(row: Row, db: RowContext) -> Mapping[str, Any]:
    if row.boots < 0:
        raise Deferred("booting")
    return {"note": f"called {row.name}"}


def project(releases: Path | None = None) -> Project:
    return Project(
        "shop",
        objects=[Disk, Machine, MachineList],
        interfaces=[ComputeAPI],
        services=[Service("api", run_api, database=True), Service("agent", run_agent, agent=True)],
        migrations=[names_become_notes],
        errors=[OutOfOrder],
        releases=releases,
        tables=metadata,
    )
