"""The places of a listener for the casts that run at once.

A cast that has come and must wait, for its endpoint's limit or for an earlier one of its ordering key, steps aside: it
gives its place to another. Where it came to this host, there is room for one more in hand meanwhile, so what is slow
does not hold up what is not; what came to the topic would better be with a member that has time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from midflight.transports.base import Address

ASIDE = 256
"""So many more may be in hand of one listener for those that stand aside: each is a body in memory, and a word to the
broker now and then that it is still wanted. Beyond them, all of its casts wait, and most of them in the broker."""

Waiting = deque[asyncio.Future[None]]


class Places:
    """``limit`` casts run at once. ``grown`` is called when there is room for one more in hand."""

    def __init__(self, limit: int, grown: Callable[[], None] = lambda: None) -> None:
        self._limit, self._grown = limit, grown
        self._free = Free(limit)
        self._given: dict[Place, None] = {}
        self._aside = 0

    @property
    def room(self) -> int:
        """How many may be in hand now."""
        return self._limit + min(self._aside, ASIDE)

    @asynccontextmanager
    async def one(self, address: Address) -> AsyncIterator[Place]:
        """Wait for a place for a cast to this address, and hold it for the block."""
        place = Place(self._free, self._step if address.host else lambda _: None)
        self._given[place] = None
        try:
            await place.take(self._free.to_host if address.host else self._free.to_topic)
            yield place
        finally:
            place.give_up()
            del self._given[place]

    def stop(self) -> None:
        """Nobody begins any more: the task of who waits for a place, or stands aside, is cancelled, in the order in
        which they came; and so is that of who wants to wait later."""
        self._free.is_closed = True
        for place in self._given:
            place.cancel()

    def _step(self, aside: int) -> None:
        self._aside += aside
        if aside > 0:
            self._grown()


class Place:
    """That of one cast. ``step`` is told when it steps aside, 1, and back, -1."""

    def __init__(self, free: Free, step: Callable[[int], None]) -> None:
        self._free, self._step, self._is_held = free, step, False
        self._task = asyncio.current_task()

    async def take(self, line: Waiting) -> None:
        """Wait for it in this line."""
        await self._leave_if_closed()
        await self._free.take(line)
        self._is_held = True

    def give_up(self) -> None:
        """Let somebody else have it, if it is held."""
        if self._is_held:
            self._is_held = False
            self._free.give()

    def cancel(self) -> None:
        """End the task of who wants it and has it not: it has not begun."""
        if self._task is not None and not self._is_held:
            self._task.cancel()

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Give it up while the block waits for something, and wait for it again at the end."""
        self.give_up()
        self._step(1)
        try:
            await self._leave_if_closed()
            yield
            await self.take(self._free.back)
        finally:
            self._step(-1)

    async def _leave_if_closed(self) -> None:
        if self._free.is_closed:
            self.cancel()
            await asyncio.sleep(0)


class Free:
    """The places that nobody holds, and who waits for one. Who comes ``back`` goes first, since others may wait for
    what it has in hand by now; of those that come first, one ``to_topic`` and one ``to_host`` in turn."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.back, self.to_topic, self.to_host = Waiting(), Waiting(), Waiting()
        self._first = [self.to_topic, self.to_host]
        self.is_closed = False

    async def take(self, line: Waiting) -> None:
        """Have one, as soon as it is the turn of who waits in this line."""
        if self._count > 0:
            self._count -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was our turn just now
                self.give()
            raise

    def give(self) -> None:
        """Let the next one have it."""
        for line in (self.back, *self._first):
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(None)
                    if line is self._first[0]:
                        self._first.reverse()
                    return
        self._count += 1
