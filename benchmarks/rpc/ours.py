"""midflight: an agent without a database, a conductor, and beside the conductor a service that only echoes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, Self
from uuid import UUID

from benchmarks.objects import ours as objects
from benchmarks.objects.ours import Flavor, SecurityGroup, SecurityGroupList
from benchmarks.rpc import loads, rows
from midflight import (
    Client,
    Context,
    Interface,
    Project,
    Runtime,
    Service,
    endpoint,
    field,
    from_row,
    from_rows,
    remotable,
    telemetry,
    to_row,
)
from midflight.config import Config
from midflight.db.schema.runner import SchemaRunner
from midflight.service import RunningService
from midflight.transports.base import Address

Call = Callable[[], Awaitable[object]]


class Instance(objects.Instance, version="1.5"):
    """That of the other benchmark, which is loaded and saved from afar."""

    hidden: bool = field(since="1.5", default=False)

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID) -> Self:
        row = await context.db.read(rows.find, str(uuid))
        groups = from_rows(SecurityGroupList, row["security_groups"])
        return from_row(cls, row, context=context, flavor=from_row(Flavor, row["flavor"]), security_groups=groups)

    @remotable
    async def save(self) -> None:
        await self.context.db.write(rows.change, str(self.uuid), to_row(self, only_changes=True))
        self.reset_changes()


class EchoAPI(Interface, Protocol, topic="echo", version="1.0"):
    @endpoint(since="1.0")
    async def echo(self, context: Context, text: str) -> str: ...


class Echo(EchoAPI):
    async def echo(self, context: Context, text: str) -> str:
        return text


@asynccontextmanager
async def _echoing(_: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Echo()]


@asynccontextmanager
async def _idle(_: Runtime) -> AsyncIterator[Sequence[object]]:
    yield []


def project_of(*classes: Any) -> Project:
    """The project, with the classes of one release."""
    services = [Service("echo", _echoing), Service("agent", _idle, agent=True)]
    return Project("bench", objects=classes, interfaces=[EchoAPI], services=services)


project = project_of(Flavor, SecurityGroup, SecurityGroupList, Instance)


def config(broker: str, folder: Path, database: str | None = None) -> Config:
    """What each process is told."""
    return Config(
        project="benchmarks.rpc.ours:project", broker=broker, database=database, call_seconds=loads.CALL_SECONDS,
        path=str(folder / "midflight.toml"),
    )  # fmt: skip


@asynccontextmanager
async def serving(broker: str, folder: Path) -> AsyncIterator[None]:
    """The one who is asked."""
    telemetry.configure(level="warning")
    rows.fill(folder / "rows.db")
    database = f"sqlite:///{folder / 'rows.db'}"
    SchemaRunner(database, None, None, "unreleased").expand()
    async with AsyncExitStack() as stack:
        for service, path in (("conductor", database), ("echo", None)):
            await stack.enter_async_context(
                RunningService.running(project, config(broker, folder, path), service, "server")
            )
        yield


@asynccontextmanager
async def asking(
    broker: str, folder: Path, project: Project = project, cls: Any = Instance
) -> AsyncIterator[dict[str, Call]]:
    """The one who asks: what it can call."""
    telemetry.configure(level="warning")
    async with RunningService.running(project, config(broker, folder), "agent", "client") as running:
        context, uuid, echo = running.context(loads.VALUES), UUID(loads.UUID), Client(EchoAPI)
        one = await cls.get(context, uuid)

        async def save() -> None:
            loads.change(one)
            await one.save()

        yield {
            "get": lambda: cls.get(context, uuid),
            "save": save,
            "echo": lambda: echo.call(EchoAPI.echo, context, loads.TEXT),
            "trips": lambda: _trips(running, lambda: cls.get(context, uuid)),
        }


async def _trips(running: RunningService, work: Call) -> int:
    """How many calls a member sends for this work."""
    sent: list[object] = []
    transport, call = running.transport, running.transport.call

    async def counted(address: Address, body: bytes, timeout: float) -> bytes:
        sent.append(address)
        return await call(address, body, timeout)

    transport.call = counted  # type: ignore[method-assign]
    try:
        await work()
    finally:
        transport.call = call  # type: ignore[method-assign]
    return len(sent)
