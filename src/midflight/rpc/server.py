"""The server: a dispatcher that listens."""

from __future__ import annotations

import asyncio

from midflight.errors import ProjectError
from midflight.rpc.dispatch import Dispatcher
from midflight.transports.base import Address, CastDelivery, Listener, Transport

CASTS = 64
"""How many casts of a topic are in hand at once, unless the service sets another limit."""


class Server:
    """Takes work from an open transport and hands it to a dispatcher. The transport's owner closes it after drain."""

    def __init__(self, transport: Transport, dispatcher: Dispatcher) -> None:
        self._transport, self._dispatcher = transport, dispatcher
        self._listeners: list[Listener] = []

    async def serve(self, address: Address, *, limit: int = CASTS) -> None:
        """Take the work of one topic as one host of it, at most ``limit`` casts at once, and with 0 none; returns when
        the broker knows.

        Raises ProjectError when nothing was added to the dispatcher that serves the topic.
        """
        if not self._dispatcher.serves(address.topic):
            raise ProjectError(where=f"serve({address})", reason="no implementation of this topic was added")

        async def on_cast(delivery: CastDelivery) -> None:
            await self._dispatcher.on_cast(delivery, address)

        casts = self._dispatcher.casts
        if limit:
            await casts.recall(address)
        listener = await self._transport.listen(
            address, self._dispatcher.on_call, on_cast, self._dispatcher.on_fanout, limit=limit
        )
        self._listeners.append(listener)
        if limit:
            casts.take_up(address)

    async def drain(self, timeout: float) -> None:
        """Take no new work, finish and answer what is in hand for up to ``timeout`` seconds, give the rest back to the
        broker. What was accepted is not lost. Calling it twice does no harm."""
        draining = [listener.drain(timeout) for listener in self._listeners]
        await asyncio.gather(self._dispatcher.casts.drain(timeout), *draining)
