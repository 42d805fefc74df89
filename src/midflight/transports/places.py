"""The places of a listener for the casts that run at once.

A cast that has come and must wait, for its endpoint's limit or for an earlier one of its ordering key, steps aside: it
gives its place to another. Where it came to this host, there is room for one more in hand meanwhile, so what is slow
does not hold up what is not; what came to the topic would better be with a member that has time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from midflight.transports.base import Address

ASIDE = 256
"""So many more may be in hand of one listener for those that stand aside: each is a body in memory, and a word to the
broker now and then that it is still wanted. Beyond them, all of its casts wait, and most of them in the broker."""


class Places:
    """``limit`` casts run at once. ``grown`` is called when there is room for one more in hand."""

    def __init__(self, limit: int, grown: Callable[[], None] = lambda: None) -> None:
        self._limit, self._grown = limit, grown
        self._free = asyncio.Semaphore(limit)
        self._aside = 0

    @property
    def room(self) -> int:
        """How many may be in hand now."""
        return self._limit + min(self._aside, ASIDE)

    @asynccontextmanager
    async def one(self, address: Address) -> AsyncIterator[Place]:
        """Wait for a place for a cast to this address, and hold it for the block."""
        place = Place(self._free, self._step if address.host else lambda _: None)
        await place.take()
        try:
            yield place
        finally:
            place.give_up()

    def _step(self, aside: int) -> None:
        self._aside += aside
        if aside > 0:
            self._grown()


class Place:
    """That of one cast. ``step`` is told when it steps aside, 1, and back, -1."""

    def __init__(self, free: asyncio.Semaphore, step: Callable[[int], None]) -> None:
        self._free, self._step, self._is_held = free, step, False

    async def take(self) -> None:
        """Wait for it."""
        await self._free.acquire()
        self._is_held = True

    def give_up(self) -> None:
        """Let somebody else have it, if it is held."""
        if self._is_held:
            self._is_held = False
            self._free.release()

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Give it up while the block waits for something, and wait for it again at the end."""
        self.give_up()
        self._step(1)
        try:
            yield
            await self.take()
        finally:
            self._step(-1)
