"""Handlers that remember, and ways to wait for what they saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from midflight.transports.base import Address, CastDelivery, Identity, Listener, Transport

PATIENCE = 60.0
"""Seconds until a test has waited in vain: far more than anything takes on a machine that has much else to do."""

MEMBER = Identity("compute", "host1")
"""Who sends, where it is of no importance."""


async def eventually(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until the condition holds; fails loudly when it never does."""
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.002)


class Recorder:
    """A listener's three handlers. Calls are answered by ``name:body``."""

    def __init__(self, name: str = "one") -> None:
        self.name = name.encode()
        self.calls: list[bytes] = []
        self.casts: list[CastDelivery] = []
        self.fanouts: list[bytes] = []
        self.senders: list[Identity] = []
        self.cancelled = 0

    async def on_call(self, body: bytes, sender: Identity) -> bytes:
        self.calls.append(body)
        self.senders.append(sender)
        return self.name + b":" + body

    async def on_cast(self, delivery: CastDelivery) -> None:
        self.casts.append(delivery)
        self.senders.append(delivery.sender)

    async def on_fanout(self, body: bytes, sender: Identity) -> None:
        self.fanouts.append(body)
        self.senders.append(sender)

    async def listen(self, transport: Transport, topic: str, host: str | None = None, *, limit: int = 64) -> Listener:
        """Take work by these handlers."""
        return await transport.listen(Address(topic, host), self.on_call, self.on_cast, self.on_fanout, limit=limit)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies of the casts, in the order in which they were run."""
        return [delivery.body for delivery in self.casts]


class Gated(Recorder):
    """Handlers that hold everything until ``gate`` is set, and count how much they hold."""

    def __init__(self, name: str = "gated") -> None:
        super().__init__(name)
        self.gate = asyncio.Event()
        self.running = self.most = self.finished = 0

    async def on_call(self, body: bytes, sender: Identity) -> bytes:
        await self._held()
        return await super().on_call(body, sender)

    async def on_cast(self, delivery: CastDelivery) -> None:
        await super().on_cast(delivery)
        await self._held()

    async def _held(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            self.finished += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
