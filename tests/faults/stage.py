"""A broker and a fleet of real processes round it, with a sender in the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pytest
import structlog
from msgspec import structs

from midflight.config import Config, Credentials
from midflight.db.cluster import Cluster
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import BrokerUnreachable
from midflight.service import RunningService
from tests.faults import report
from tests.faults.counts import RECOVER_SECONDS, Counts, Facts, counted, names_in
from tests.faults.ledger import project
from tests.faults.load import PATIENCE, Load
from tests.faults.processes import Member

HOSTS = "h1", "h2"
SERVICES = "conductor", "teller", "agent"

CAUGHT_UP_SECONDS = 60.0
"""How long the last cast is waited for: one that a killed process had in hand comes again after a fifth of it."""


def on(*brokers: str) -> pytest.MarkDecorator:
    """A case on these stages."""
    return pytest.mark.parametrize("the_stage", brokers, indirect=True)


async def together(*acts: Callable[[], Awaitable[None]]) -> None:
    """All of them at once: most of the time of a process that starts or ends is spent waiting for others."""
    await asyncio.gather(*(act() for act in acts))


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
        for service in SERVICES:
            for host in HOSTS:
                self.members[f"{service}-{host}"] = self._member(service, host)
        stack.push_async_callback(together, *(member.end for member in self.members.values()))
        await together(*(member.start for member in self.members.values()))
        log = stack.enter_context((self.folder / "sender.log").open("w"))
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        stack.callback(structlog.reset_defaults)
        configuration = self.folder / "sender.toml"
        self._write_configuration(configuration, self.broker.url, None)
        running = RunningService.running(project, Config.load(configuration), "sender", "sender")
        self.sender = await stack.enter_async_context(running)

    def _new_database(self, stack: AsyncExitStack) -> str:
        if self.postgres is None:
            return f"sqlite:///{self.folder / 'ledger.db'}"
        stack.callback(self.postgres.remove)
        return self.postgres.start().create()

    def _member(self, service: str, host: str) -> Member:
        name = f"{service}-{host}"
        member = Member(service, host, self.folder / f"{name}.toml", self.folder / f"{name}.log")
        self._configure(member, self.broker.url)
        return member

    def _configure(self, member: Member, url: str) -> None:
        database = self.database if member.service in ("conductor", "teller") else None
        self._write_configuration(member.config, url, database)

    def _write_configuration(self, file: Path, url: str, database: str | None) -> None:
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

    @asynccontextmanager
    async def case(self, name: str, within: float = RECOVER_SECONDS) -> AsyncIterator[Case]:
        """A load that flows already when the block begins, and ends with it. After the fault it has to flow again
        within so many seconds."""
        load = Load(name, self.sender, HOSTS)
        async with load:
            await load.flows()
            yield (case := Case(self, name, load))
        counts = await case.count()
        counts.within = within
        report.keep(counts)

    @asynccontextmanager
    async def moved(
        self,
        host: str,
        way: Callable[[str], str] = lambda url: url,
        enter: Sequence[str] = (),
        more: Mapping[str, str] = MappingProxyType({}),
        services: Collection[str] = SERVICES,
    ) -> AsyncIterator[None]:
        """These members of a host run elsewhere during the block: ``way`` says from the broker's URL how it is found
        there, ``enter`` stands before their commands, and ``more`` is in their environment."""
        ours = [each for each in self.members.values() if each.host == host and each.service in services]
        await self._move(ours, way(self.broker.url), enter, more)
        try:
            yield
        finally:
            await self._move(ours, self.broker.url)

    async def _move(
        self,
        members: Sequence[Member],
        url: str,
        enter: Sequence[str] = (),
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        await together(*(member.end for member in members))
        for member in members:
            self._configure(member, url)
            member.before, member.more = enter, more
        await together(*(member.start for member in members))

    async def heal(self) -> None:
        """Whatever was done to anyone, all work again."""
        await self.broker.heal()
        if self.postgres is not None:
            self.postgres.start()
        await together(*(member.heal for member in self.members.values()))

    def read(self) -> Facts:
        """The facts as they are now."""
        killed = {pid: at for member in self.members.values() for pid, at in member.killed.items()}
        return Facts.read(self.facts, self.database, killed)


class Case:
    """What is broken in the middle of a load, and how that went."""

    def __init__(self, stage: Stage, name: str, load: Load) -> None:
        self._stage, self._name, self._load = stage, name, load
        self.broken_at = time.monotonic()
        self._ready_at = self._others_after = 0.0
        self.counts: Counts

    async def flows(self, *kinds: str) -> float:
        """Wait until what is sent from now on goes well, of these kinds; seconds since something was broken."""
        await self._load.flows(time.monotonic(), *kinds)
        return time.monotonic() - self.broken_at

    async def stalls(self, kind: str) -> None:
        """Wait until something of this kind has had no answer for a second."""
        async with asyncio.timeout(PATIENCE):
            while not self._load.stalls(kind):
                await asyncio.sleep(0.1)

    async def mended(self, others: Path | None = None) -> None:
        """From now on all could flow again: wait until it does. In the file stands when the slowest of some others has
        heard from the broker last."""
        self._ready_at = time.monotonic()
        await self._load.flows(self._ready_at)
        deadline = time.monotonic() + PATIENCE
        while others and float(others.read_text()) < self._ready_at and time.monotonic() < deadline + PATIENCE:
            await asyncio.sleep(0.05)
        if others:
            assert float(others.read_text()) >= self._ready_at, "some have never been answered again"
            self._others_after = time.monotonic() - self._ready_at

    async def count(self) -> Counts:
        """Count what became of the load, now that it has ended."""
        await self._caught_up()
        parked = await self._parked()
        times = self.broken_at, self._ready_at
        self._load.write(self._stage.folder / f"{self._name}.jsonl")
        self.counts = counted(self._name, self._stage.name, self._load.pieces, self._stage.read(), parked, *times)
        self.counts.recovered = max(self.counts.recovered, round(self._others_after, 2))
        return self.counts

    async def _parked(self) -> Mapping[str, str]:
        """What is parked. A cluster may be without a leader once more, so it is asked for a while."""
        deadline = time.monotonic() + CAUGHT_UP_SECONDS
        while True:
            try:
                return names_in(await self._stage.sender.transport.parked())
            except BrokerUnreachable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    async def _caught_up(self) -> None:
        """Wait until the broker has nothing left to do, and all of its casts have run; what has not after a while is
        lost."""
        accepted = {piece.name for piece in self._load.pieces if piece.outcome == "accepted"}
        deadline = time.monotonic() + CAUGHT_UP_SECONDS
        while time.monotonic() < deadline:
            if not await self._stage.broker.backlog():
                done = self._stage.read().done.keys()
                if accepted <= done | (await self._parked()).keys():
                    return
            await asyncio.sleep(0.2)
