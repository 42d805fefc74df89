"""A broker and a fleet of real processes round it, with a sender in the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
import structlog
from msgspec import structs

from midflight.config import Config, Credentials
from midflight.db.cluster import Cluster
from midflight.db.schema.runner import SchemaRunner
from midflight.service import RunningService
from tests.faults import report
from tests.faults.counts import Counts, Facts, counted, names_in
from tests.faults.ledger import project
from tests.faults.load import Load
from tests.faults.processes import Member

HOSTS = "h1", "h2"

CAUGHT_UP_SECONDS = 60.0
"""How long the last cast is waited for: one that a killed process had in hand comes again after half of it."""


def on(*brokers: str) -> pytest.MarkDecorator:
    """A case on these stages."""
    return pytest.mark.parametrize("the_stage", brokers, indirect=True)


class Broker(Protocol):
    """What all brokers have in common. ``url`` is where members find it, with these credentials."""

    credentials: Credentials

    @property
    def url(self) -> str: ...

    async def start(self) -> object:
        """Start it, and wait until it takes connections."""
        ...

    async def ready(self) -> None:
        """Wait until it takes casts and gives them out."""
        ...

    async def backlog(self) -> int:
        """How many casts it has that are not done."""
        ...

    def kill(self) -> None:
        """Make an end of it at once."""
        ...

    def freeze(self) -> None:
        """It keeps its connections, and does nothing."""
        ...

    def thaw(self) -> None:
        """It goes on."""
        ...

    async def heal(self) -> None:
        """Whatever was done to it, it works again."""
        ...

    def close(self) -> None:
        """End it for good."""
        ...


class Stage:
    """``name`` is the broker's, for the report. The database is a file, or in a PostgreSQL of its own."""

    def __init__(self, name: str, broker: Broker, folder: Path, postgres: Cluster | None = None) -> None:
        self.name, self.broker, self.folder = name, broker, folder
        self.postgres, self.facts = postgres, folder / "facts"
        self.database = ""
        self.members: dict[str, Member] = {}
        self.sender: RunningService

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Stage]:
        """Set it up, and take it down at the end of the block, whatever has happened on it."""
        async with AsyncExitStack() as stack:
            await self._begin(stack)
            yield self

    async def _begin(self, stack: AsyncExitStack) -> None:
        self.facts.mkdir(parents=True)
        stack.callback(self.broker.close)
        await self.broker.start()
        self.database = self._new_database(stack)
        SchemaRunner(self.database, project.schema, project.tables, "").expand()
        for service in ("conductor", "teller", "agent"):
            for host in HOSTS:
                self.members[f"{service}-{host}"] = member = self._member(service, host)
                stack.push_async_callback(member.end)
                await member.start()
        log = stack.enter_context((self.folder / "sender.log").open("w"))
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        stack.callback(structlog.reset_defaults)
        configuration = self.configured("sender", self.broker.url, None)
        running = RunningService.running(project, Config.load(configuration), "sender", "sender")
        self.sender = await stack.enter_async_context(running)

    def _new_database(self, stack: AsyncExitStack) -> str:
        if self.postgres is None:
            return f"sqlite:///{self.folder / 'ledger.db'}"
        stack.callback(self.postgres.remove)
        return self.postgres.start().create()

    def _member(self, service: str, host: str) -> Member:
        name = f"{service}-{host}"
        database = None if service == "agent" else self.database
        config = self.configured(name, self.broker.url, database)
        return Member(service, host, config, self.folder / f"{name}.log")

    def configured(self, name: str, url: str, database: str | None) -> Path:
        """A configuration file for one member."""
        file = self.folder / f"{name}.toml"
        credentials = structs.asdict(self.broker.credentials)
        file.write_text(f"""
[midflight]
project = "tests.faults.ledger:project"
broker = "{url}"
{f'database = "{database}"' if database else ""}
state = "state"
beat_seconds = 2

[credentials]
{chr(10).join(f'{field} = "{value}"' for field, value in credentials.items() if value)}

[app]
facts = "{self.facts}"
""")
        return file

    @asynccontextmanager
    async def case(self, name: str) -> AsyncIterator[Case]:
        """A load that flows already when the block begins, and ends with it."""
        load = Load(name, self.sender, HOSTS)
        async with load:
            await load.flows()
            yield (case := Case(self, name, load))
        report.keep(await case.count())

    async def heal(self) -> None:
        """Whatever was done to anyone, all work again."""
        await self.broker.heal()
        if self.postgres is not None:
            self.postgres.start()
        for member in self.members.values():
            await member.heal()

    def read(self) -> Facts:
        """The facts as they are now."""
        killed = {pid: at for member in self.members.values() for pid, at in member.killed.items()}
        return Facts.read(self.facts, self.database, killed)


class Case:
    """What is broken in the middle of a load, and how that went."""

    def __init__(self, stage: Stage, name: str, load: Load) -> None:
        self._stage, self._name, self._load = stage, name, load
        self.broken_at = time.monotonic()
        self._ready_at = 0.0
        self.counts: Counts

    async def flows(self, *kinds: str) -> float:
        """Wait until what is sent from now on goes well, of these kinds; seconds since something was broken."""
        await self._load.flows(time.monotonic(), *kinds)
        return time.monotonic() - self.broken_at

    async def mended(self) -> None:
        """From now on all could flow again: wait until it does."""
        self._ready_at = time.monotonic()
        await self._load.flows(self._ready_at)

    async def count(self) -> Counts:
        """Count what became of the load, now that it has ended."""
        await self._caught_up()
        parked = names_in(await self._stage.sender.transport.parked())
        times = self.broken_at, self._ready_at
        self._load.write(self._stage.folder / f"{self._name}.jsonl")
        self.counts = counted(self._name, self._stage.name, self._load.pieces, self._stage.read(), parked, *times)
        return self.counts

    async def _caught_up(self) -> None:
        """Wait until the broker has nothing left to do, and all of its casts have run; what has not after a while is
        lost."""
        accepted = {piece.name for piece in self._load.pieces if piece.outcome == "accepted"}
        deadline = time.monotonic() + CAUGHT_UP_SECONDS
        while time.monotonic() < deadline:
            if not await self._stage.broker.backlog() and accepted <= self._stage.read().done.keys():
                return
            await asyncio.sleep(0.2)
