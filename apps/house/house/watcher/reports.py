"""What the house is to be told of wakes and of machines, kept until somebody has told it."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime
from uuid import UUID

import msgspec

from house.clock import Clock
from house.watcher.acts import Seen
from house.watcher.file import KeptWake
from house.watcher.guarded import Wake

NAME_SECONDS = 2.0
"""For so long a name server is waited for."""
MOST = 1000
"""Wakes of which the house does not know yet, at most; of more, the oldest are forgotten."""
Sight = tuple[bool, datetime]
"""Whether a machine lived, and when that was seen."""


class Reports:
    """Whoever has told one of them takes it out."""

    def __init__(self, clock: Clock) -> None:
        self.wakes: dict[UUID, KeptWake] = {}
        """Those that have begun or ended."""
        self.sights: dict[str, Sight] = {}
        """What was seen of a machine, by its name, where the house may not know."""
        self.news = asyncio.Event()
        """Set when there is one more."""
        self._clock = clock
        self._naming: set[asyncio.Task[None]] = set()

    def note(self, wake: Wake) -> None:
        """It has begun, or ended."""
        self.wakes[wake.uuid] = KeptWake.of(wake, self._clock)
        while len(self.wakes) > MOST:
            del self.wakes[next(iter(self.wakes))]
        self.news.set()

    def see(self, seen: Seen) -> None:
        """A machine lives, or lives no more."""
        self.sights[seen.machine] = seen.alive, self._clock.now()
        self.news.set()

    def name(self, wake: Wake) -> None:
        """Ask who the requester is by name. Nothing waits for it."""
        if wake.requester.address is not None:
            asking = asyncio.get_running_loop().create_task(self._ask_name(wake, str(wake.requester.address)))
            self._naming.add(asking)
            asking.add_done_callback(self._naming.discard)

    async def _ask_name(self, wake: Wake, address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            asked = loop.getnameinfo((address, 0), socket.NI_NAMEREQD)
            name, _ = await asyncio.wait_for(asked, NAME_SECONDS)
        except (OSError, TimeoutError):
            return
        wake.name = name
        if told := self.wakes.get(wake.uuid):
            self.wakes[wake.uuid] = msgspec.structs.replace(told, name=name)

    def stop(self) -> None:
        """Ask for no more names."""
        for asking in self._naming:
            asking.cancel()
