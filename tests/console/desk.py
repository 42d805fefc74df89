"""A console on a free port, for a fleet that a test makes up; and a browser that looks at it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import uvicorn

from midflight.conductor.data_objects import MigrationDetail
from midflight.conductor.interface import Fleet, JournalEntry
from midflight.conductor.traffic import Traffic
from midflight.config import ConsoleSettings
from midflight.console.passages import Passage
from midflight.console.site import console
from midflight.console.sources import FLEET
from midflight.errors import NoConductor
from midflight.upgrade.aim import Aim
from midflight.web.access import Access
from midflight.web.app import App
from midflight.web.gatherer import Gatherer
from tests.cli.fake_operator import FakeOperator
from tests.console.sights import PASSAGES
from tests.transports.ports import Port
from tests.upgrade.fleets import KILO, NOW

KEY = b"the key of all consoles of the tests"


class Conductors(FakeOperator):
    """What the console asks. Set ``shown`` to another fleet, or to None while nobody answers."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self.shown: Fleet | None = fleet
        self.asked = 0
        self.left: list[list[str] | None] = []
        self.minutes: list[Traffic] = []
        self.details: dict[str, MigrationDetail] = {}

    async def traffic(self) -> list[Traffic]:
        return self.minutes

    async def migration(self, name: str) -> MigrationDetail:
        (state,) = [each for each in (self.shown or self._fleet).migrations if each.name == name]
        return self.details.get(name, MigrationDetail(migration=state))

    async def journal(self, after: int | None, kinds: Sequence[str] = (), limit: int = 100) -> list[JournalEntry]:
        if after is None:
            return self.entries[-limit:]
        return [entry for entry in self.entries if entry.id > after][:limit]

    def in_the_name_of(self, user: str) -> Conductors:
        self.acts.append(f"as {user}")
        return self

    async def acknowledge(self, fact: str, reason: str, seconds: float) -> datetime:
        self.acts.append(f"ack {fact} for {seconds:.0f} s: {reason}")
        return NOW

    async def drain(self, member: str, *, undo: bool = False) -> list[str] | None:
        self.acts.append(f"drain {member} {undo}")
        return self.left.pop(0) if self.left else []

    async def withdraw(self, fact: str) -> None:
        self.acts.append(f"withdraw {fact}")

    async def fleet(self) -> Fleet:
        self.asked += 1
        if self.shown is None:
            raise NoConductor(project="cloud", broker="nats://broker:4222", reason="nobody listens")
        return self.shown


@dataclass
class Desk:
    """A console that runs, and whom it asks."""

    conductors: Conductors
    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    aim: Aim = KILO
    hosts: Iterable[str] = ()
    passages: Sequence[Passage] = tuple(PASSAGES)
    shortest: float = 0.05
    held: Port = field(default_factory=Port, repr=False)
    gatherer: Gatherer | None = None
    _server: uvicorn.Server | None = field(default=None, repr=False)
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.held}"

    async def start(self) -> None:
        """Listen, again on the same port after a stop."""
        listening = socket.create_server(("127.0.0.1", self.held.number))
        self.gatherer = Gatherer(self._operating, FLEET, shortest=self.shortest)
        access, hosts = Access(self.settings, KEY), list(self.hosts)
        app = App(console("cloud", self.aim, self.passages), self.gatherer, access, hosts)
        config = uvicorn.Config(app.app(), log_config=None, proxy_headers=False, timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Cut every connection, as a kill would."""
        assert self._server is not None
        assert self._task is not None
        self._server.should_exit = True
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await self._task

    async def swallow(self) -> asyncio.Event:
        """Keep all connections, and answer nothing on them until the event that is returned is set."""
        assert self._server is not None
        over = asyncio.Event()
        for connection in list(self._server.server_state.connections):
            connection.flow.pause_writing()

        async def release() -> None:
            await over.wait()
            for connection in list(self._server.server_state.connections):
                connection.flow.resume_writing()

        self._released = asyncio.create_task(release())
        return over

    @asynccontextmanager
    async def _operating(self) -> AsyncIterator[Any]:
        yield self.conductors
