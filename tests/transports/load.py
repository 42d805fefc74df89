"""A steady load on one agent, and what became of each part of it."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from midflight.errors import MidflightError
from midflight.transports.base import Address, CastDelivery, NoAnswer, NobodyListens, Transport
from tests.transports.recorder import Recorder

AGENT = Address("compute", "host1")
PATIENCE = 60.0
"""Seconds: an election in a cluster takes up to ten."""


class Agent(Recorder):
    """Counts what it has run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: Counter[bytes] = Counter()

    async def on_cast(self, delivery: CastDelivery) -> None:
        self.ran[delivery.body] += 1


class Load:
    """Calls and casts without a pause, each with a body of its own."""

    def __init__(self, caller: Transport) -> None:
        self._caller, self._name, self._numbers = caller, secrets.token_hex(4).encode(), count()
        self.answered = 0
        self.failed: Counter[type[MidflightError]] = Counter()
        self.wrong: list[bytes] = []
        self.accepted: set[bytes] = set()
        self._stop = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def on(cls, caller: Transport) -> AsyncIterator[Load]:
        """Run it during the block; what was begun is ended."""
        load = cls(caller)
        async with asyncio.timeout(PATIENCE * 2), asyncio.TaskGroup() as group:
            for work in (load._call, load._call, load._cast, load._cast):
                group.create_task(load._repeat(work))
            yield load
            load._stop.set()

    async def more(self, calls: int = 50, casts: int = 20) -> None:
        """Wait until so many more calls were answered, and casts accepted."""
        calls, casts = calls + self.answered, casts + len(self.accepted)
        await until(lambda: self.answered >= calls and len(self.accepted) >= casts)

    async def _repeat(self, work: Callable[[bytes], Awaitable[None]]) -> None:
        while not self._stop.is_set():
            await work(b"%s-%d" % (self._name, next(self._numbers)))
            await asyncio.sleep(0.005)

    async def _call(self, body: bytes) -> None:
        try:
            answer = await self._caller.call(AGENT, body, timeout=1)
        except (NoAnswer, NobodyListens) as error:
            self.failed[type(error)] += 1
        else:
            self.answered += 1
            self.wrong += [answer] if answer != b"one:" + body else []

    async def _cast(self, body: bytes) -> None:
        try:
            await self._caller.cast(AGENT, body, f"cast-{body.decode()}")
        except NoAnswer as error:
            self.failed[type(error)] += 1
        else:
            self.accepted.add(body)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a cluster may take its time for; fails loudly when it never comes."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
