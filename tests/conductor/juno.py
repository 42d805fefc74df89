"""The older release of a small project: machines that boot, an agent that runs them, an api that opens the database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from sqlalchemy import Connection, insert, select, update

from midflight.context import Context
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.lists import ObjectList
from midflight.objects.remote import remotable
from midflight.objects.wire import from_row, to_row
from midflight.project import Project, Runtime, Service
from midflight.rpc.interface import Interface, endpoint
from tests.conductor.tables import machines, metadata


class OutOfOrder(Exception):
    """A machine that does not boot."""


class Disk(VersionedObject, version="1.0"):
    """At rest in the row of its machine."""

    gigabytes: int


class Machine(VersionedObject, version="1.0"):
    name: str = field(read_only=True)
    host: str | None = None
    boots: int = 0
    disk: Disk | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        row = await context.db.read(row_of, name)
        return from_row(cls, row, context=context)

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

    @remotable
    async def boot(self, times: int = 1) -> int:
        if self.host is None:
            raise OutOfOrder(self.name)
        self.boots += times
        await self.save()
        return self.boots

    async def here_only(self) -> None:
        raise AssertionError("never reached from outside")


class MachineList(ObjectList[Machine], version="1.0"):
    @classmethod
    @remotable
    async def get_by_host(cls, context: Context, host: str) -> Self:
        rows = await context.db.read(rows_at, host)
        return cls(objects=[from_row(Machine, row, context=context) for row in rows], context=context)


class ComputeAPI(Interface, Protocol, topic="compute", version="3.35"):
    @endpoint(since="3.35")
    async def look(self, context: Context, machine: Machine) -> str: ...

    @endpoint(since="3.35")
    async def wait(self, context: Context) -> str: ...


class Agent(ComputeAPI):
    """Answers calls; a call of ``wait`` waits until ``release`` is set."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.looked: list[Machine] = []

    async def look(self, context: Context, machine: Machine) -> str:
        self.looked.append(machine)
        return self.runtime.host

    async def wait(self, context: Context) -> str:
        gates = self.runtime.settings["gates"]
        gates["entered"].set()
        await gates["release"].wait()
        return "done"


def changed_columns(obj: VersionedObject) -> dict[str, Any]:
    return to_row(obj, only_changes=True, manifest=obj.context.db.store_manifest())


def row_of(connection: Connection, name: str) -> Any:
    return connection.execute(select(machines).where(machines.c.name == name)).mappings().one()


def rows_at(connection: Connection, host: str) -> Any:
    return (
        connection.execute(select(machines).where(machines.c.host == host).order_by(machines.c.name)).mappings().all()
    )


def add(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(machines).values(values))


def change(connection: Connection, name: str, values: dict[str, Any]) -> None:
    if values:
        connection.execute(update(machines).where(machines.c.name == name).values(values))


@asynccontextmanager
async def run_agent(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Agent(runtime)]


@asynccontextmanager
async def run_api(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield []


def project(releases: Path | None = None) -> Project:
    return Project(
        "shop",
        objects=[Disk, Machine, MachineList],
        interfaces=[ComputeAPI],
        services=[Service("api", run_api, database=True), Service("agent", run_agent, agent=True)],
        errors=[OutOfOrder],
        releases=releases,
        tables=metadata,
    )
