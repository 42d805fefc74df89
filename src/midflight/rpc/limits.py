"""Limits: how much of what is asked for runs at once, and who waits in line or is turned away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from midflight import telemetry
from midflight.rpc.endpoints import EndpointSpec
from midflight.transports.base import Aside

LONGEST_LINE = 16
"""So many calls may wait, for each that runs. Whoever came later would hardly have a turn before its deadline."""
QUIET_SECONDS = 10.0
"""A line that turns calls away says so in the log no more often than this."""


class Line:
    """Lets ``limit`` pieces of work run at once; the others wait, and have their turns in the order they came."""

    def __init__(self, limit: int, name: str) -> None:
        self.limit, self.name = limit, name
        self._free = asyncio.Semaphore(limit)
        self._waiting = 0
        self._turned_away, self._said = 0, float("-inf")

    @property
    def is_free(self) -> bool:
        """Whether there is a turn now."""
        return not self._free.locked()

    async def enter(self, until: float | None) -> bool:
        """Wait for a turn, up to ``until`` in time.monotonic() seconds; None waits for as long as it takes.

        Returns False where there was none in time, or where so many wait already that there would be none.
        """
        if self.is_free:
            return await self._free.acquire()
        if until is None:
            return await self._waited()
        if self._waiting >= self.limit * LONGEST_LINE:
            return self._turn_away()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._waited()
        except TimeoutError:
            return self._turn_away()

    def leave(self) -> None:
        """Let the next one in."""
        self._free.release()

    async def _waited(self) -> bool:
        self._waiting += 1
        try:
            return await self._free.acquire()
        finally:
            self._waiting -= 1

    def _turn_away(self) -> bool:
        """Told seldom: whoever is too busy to serve is too busy to log each time."""
        self._turned_away += 1
        if time.monotonic() - self._said >= QUIET_SECONDS:
            facts = {"limit": self.limit, "waiting": self._waiting, "turned_away": self._turned_away}
            telemetry.log.warning("rpc.busy", name=self.name, **facts)
            self._said, self._turned_away = time.monotonic(), 0
        return False


class Turns:
    """The lines that one piece of work has to pass before it runs, and leaves afterwards."""

    def __init__(self, lines: tuple[Line, ...] = ()) -> None:
        self._lines = lines

    def __bool__(self) -> bool:
        """Whether there is anything to wait for."""
        return bool(self._lines)

    async def enter(self, until: float | None = None) -> Line | None:
        """Pass all lines, as Line.enter does; returns the one that had no turn for us, and then we stand in none."""
        passed: list[Line] = []
        try:
            for line in self._lines:
                if not await line.enter(until):
                    return line
                passed.append(line)
            passed = []
        finally:
            for line in passed:
                line.leave()
        return None

    @asynccontextmanager
    async def taken(self, aside: Aside = nullcontext) -> AsyncIterator[None]:
        """Hold the turns for the block, however long it takes until there are any; who has to wait, waits ``aside``."""
        is_ours = False
        try:
            async with nullcontext() if all(line.is_free for line in self._lines) else aside():
                is_ours = await self.enter() is None
            yield
        finally:
            if is_ours:
                self.leave()

    def leave(self) -> None:
        """Let the next ones in."""
        for line in self._lines:
            line.leave()


FREE = Turns()
"""Nothing to wait for."""


def turns_of(topic: str, spec: EndpointSpec, *shared: Line | None) -> Turns:
    """Where an endpoint waits: in its own line first, so that whoever waits there holds no place of the others."""
    own = Line(spec.limit, f"{topic}.{spec.method}") if spec.limit else None
    lines = tuple(line for line in (own, *shared) if line is not None)
    return Turns(lines) if lines else FREE


def latest_turn(deadline: float | None) -> float:
    """Until when a call waits for its turn: half of what is left to it, so that its caller still hears that it did not
    run, and can ask somebody else. One without a deadline does not wait at all."""
    now = time.monotonic()
    return now if deadline is None else (now + deadline) / 2
