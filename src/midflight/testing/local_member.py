"""One member of a fleet in one process, and what a test does to it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Self

from midflight.context import Context
from midflight.errors import UsageError
from midflight.service import RunningService
from midflight.transports.base import Identity
from midflight.transports.memory import MemoryBus
from midflight.versions import Manifest


class LocalMember:
    """A running member; made by ``LocalFleet.start``. Its network is the fleet's bus in memory."""

    def __init__(self, running: RunningService, bus: MemoryBus | None, over: asyncio.Event, life: asyncio.Task[None]):
        self._running, self._bus, self._over, self._life = running, bus, over, life
        self.service, self.host, self.id, self.release = running.service, running.host, running.id, running.release
        self._who = Identity(self.service, self.host)

    @classmethod
    async def started(cls, starting: AbstractAsyncContextManager[RunningService], bus: MemoryBus | None) -> Self:
        """It runs in a task of its own, from its start to its end, as an application's task groups want it. Raises
        whatever keeps it from starting."""
        over, ready = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def live() -> None:
            try:
                async with starting as running:
                    ready.set_result(running)
                    await over.wait()
            finally:
                if bus is not None and ready.done():
                    bus.forget(Identity(ready.result().service, ready.result().host))

        life = asyncio.create_task(live())
        try:
            await asyncio.wait({ready, life}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                await life
        except BaseException:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            raise
        return cls(ready.result(), bus, over, life)

    def __repr__(self) -> str:
        return f"LocalMember({self.service}@{self.host}, {self.release})"

    def context(self, **values: str) -> Context:
        """A context for work in this member: what is sent with it goes out from here."""
        return self._running.context(values)

    @property
    def manifest(self) -> Manifest:
        """What it understands."""
        return self._running.contract.manifest

    @property
    def topics(self) -> tuple[str, ...]:
        """On which it takes work."""
        return self._running.topics

    def told_of(self, topic: str, host: str) -> str | None:
        """The digest of what it has been told that a host of a topic understands; None where it knows of none."""
        return self._running.floors.view.peers.get(topic, {}).get(host)

    @property
    def hears(self) -> bool:
        """Whether it runs, and is not cut off."""
        return not self._over.is_set() and (self._bus is None or self._bus.links.holds(self._who))

    async def stop(self) -> None:
        """As SIGTERM does: it finishes what is in hand, and leaves, and what was done to its network is over with it.
        Stopping it twice does no harm. Raises whatever went wrong in its end."""
        self._over.set()
        await self._life

    async def drain(self) -> list[str] | None:
        """As `midflight fleet drain` does: it takes no new work, and the application moves away what lives here. What
        is still here, None while that is not known; ask again until it is nothing."""
        return await self._running.empty_host(undo=False)

    async def undrain(self) -> None:
        """It takes new work again."""
        await self._running.empty_host(undo=True)

    def partition(self) -> None:
        """Cut it off: it reaches nobody but its database, and nobody reaches it. Calls to it and from it are
        NotDelivered, those in hand become Unknown; casts to it wait until it is healed or replaced."""
        self._network.links.cut.add(self._who)

    def heal(self) -> None:
        """Let it reach the others again; what waited for it arrives."""
        self._network.mend(self._who)

    def delay(self, seconds: float) -> None:
        """From now on, whatever goes to it or comes from it takes so much longer; 0 as at first."""
        self._network.links.delayed[self._who] = seconds

    def duplicate(self, on: bool = True) -> None:
        """From now on, each call and cast reaches it twice, as from a broker that did not hear the first time that it
        was done. midflight runs none of them twice, so a test that sees one run twice has found something."""
        (self._network.links.doubled.add if on else self._network.links.doubled.discard)(self._who)

    @property
    def _network(self) -> MemoryBus:
        if self._bus is None:
            raise UsageError(reason="this fleet was given a broker, whose network no test can cut: leave out broker=…")
        return self._bus
