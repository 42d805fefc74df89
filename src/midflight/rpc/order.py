"""Order: what has the same ordering key is run one after the other, and nothing past an earlier one that is parked.

The parked messages of the broker are the truth; what is remembered of them here only says where to look. All of a key
comes to one host, and so to one of these.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from midflight.transports.base import Aside, ParkedMessage

Key = tuple[str, str]
"""A topic, and an ordering key in it."""

_PATIENCE = 60.0
"""Seconds beyond its pause for which the others wait for one that shall come again; then it is given up."""


class Order:
    """The turns of one receiver."""

    def __init__(self) -> None:
        self._turns: dict[Key, asyncio.Lock] = {}
        self._waiting = Counter[Key]()
        self._parked: dict[Key, dict[str, ParkedMessage]] = {}
        self._coming: dict[Key, tuple[str, float]] = {}

    @asynccontextmanager
    async def turn(self, key: Key | None, aside: Aside = nullcontext) -> AsyncIterator[None]:
        """The block is run alone among those of its key, in the order in which they came; who waits for its turn waits
        ``aside``."""
        if key is None:
            yield
            return
        self._waiting[key] += 1
        turn, is_ours = self._turns.setdefault(key, asyncio.Lock()), False
        try:
            async with aside() if turn.locked() else nullcontext():
                is_ours = await turn.acquire()
            yield
        finally:
            if is_ours:
                turn.release()
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key], self._turns[key]

    def park(self, key: Key, message: ParkedMessage) -> None:
        """Remember that it is parked, behind the others of its key."""
        self._parked.setdefault(key, {}).setdefault(message.message_id, message)

    def is_parked(self, key: Key, message_id: str) -> bool:
        """Whether it is known to be parked."""
        return message_id in self._parked.get(key, ())

    def first(self, key: Key) -> ParkedMessage | None:
        """The first that is parked of a key."""
        return next(iter(self._parked.get(key, {}).values()), None)

    def forget(self, key: Key | None, message_id: str) -> None:
        """It is parked no longer."""
        if key is not None and (parked := self._parked.get(key)) is not None:
            parked.pop(message_id, None)
            if not parked:
                del self._parked[key]

    def expect(self, key: Key | None, message_id: str, pause: float) -> None:
        """One of a key has failed, and comes again after a pause: the others have to wait for it."""
        if key is not None:
            self._coming[key] = message_id, time.monotonic() + pause + _PATIENCE

    def expects_another(self, key: Key, message_id: str) -> bool:
        """Whether an earlier one of the key shall come again first."""
        coming, until = self._coming.get(key, ("", 0.0))
        if coming and coming != message_id and time.monotonic() < until:
            return True
        self._coming.pop(key, None)
        return False
