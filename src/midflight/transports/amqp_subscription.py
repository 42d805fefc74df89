"""A queue that messages are taken from, also after it was deleted, or the connection was broken and mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from midflight.telemetry import log
from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_link import FAILURES, Link, ask

LOOK_SECONDS = 5.0
"""How often it is seen to that the queue, and what leads to it, is still there. Of a deleted queue the broker tells at
once, mostly; of a deleted exchange it tells nobody."""

SELDOM_SECONDS = 600.0
"""How often it is looked for a queue that was not there. Whoever makes it tells us; the broker logs each look as an
error."""

PAUSE_SECONDS = 0.2

Find = Callable[[Link], Awaitable[str | None]]
Callback = Callable[[DeliveredMessage], None]
Held = Callable[[Channel], int]


class Subscription:
    """Has a channel of its own. ``find`` makes the queue, or looks for it, and returns its name, or None while there is
    none; the callback must only start work. With ``limit`` the broker gives out so many messages before it wants to
    hear what became of them, and ``held`` tells of how many on a channel it does not know yet; without, what it has
    given out is done with."""

    def __init__(
        self, connection: Connection, find: Find, callback: Callback, *, limit: int = 0, held: Held = lambda _: 0
    ) -> None:
        self._connection, self._find, self._callback = connection, find, callback
        self._limit, self._held = limit, held
        self._channels: list[Channel] = []
        self._queue: str | None = None
        self._tag = ""
        self._is_stale = False
        self._look = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take messages from now on. Raises one of FAILURES."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LOOK_SECONDS
        while True:
            try:
                await self._provide(deadline)
                break
            except FAILURES:
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Take nothing new; returns when all that the broker had sent until then was given to the callback."""
        await self.let_go()
        await self._withdraw()

    async def let_go(self) -> None:
        """Do not see to it any more, and say nothing to the broker."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def renew(self) -> None:
        """Take from the queue as if for the first time: it is another one of the same name."""
        self._is_stale = True
        self._look.set()

    async def close(self) -> None:
        """Close the channel; returns when the broker has heard all that was said on it."""
        for channel in self._channels:
            if not channel.is_closed:
                with suppress(*FAILURES):
                    await ask(channel.close())

    async def retire(self) -> None:
        """Stop, and delete the queue unless somebody else takes from it."""
        await self.stop()
        if self._queue is not None and self._has_channel:
            with suppress(*FAILURES):
                await ask(self._channels[-1].queue_delete(self._queue, if_unused=True))
        await self.close()

    async def _keep(self) -> None:
        while True:
            await self._until_something_happens()
            try:
                await self._provide(asyncio.get_running_loop().time() + LOOK_SECONDS)
            except FAILURES as error:
                log.warning("transport.not_subscribed", broker=self._connection.url, reason=str(error) or "no answer")
                await asyncio.sleep(PAUSE_SECONDS)

    async def _until_something_happens(self) -> None:
        usual = LOOK_SECONDS if self._takes else 0
        try:
            async with asyncio.timeout(SELDOM_SECONDS if self._queue is None else usual):
                await self._look.wait()
        except TimeoutError:
            pass  # nothing that we were told of
        self._look.clear()

    async def _provide(self, deadline: float) -> None:
        """See that, where there is a queue, there is a consumer on the last channel, and no channel beyond need."""
        link = await self._connection.link(deadline)
        self._queue = await self._find(link)
        if self._queue is None:
            self._is_stale = True
        elif self._is_stale or not self._takes:
            await self._begin(link, self._queue)
        await self._close_old()

    async def _begin(self, link: Link, queue: str) -> None:
        """Always on a new channel: where the queue is another one of the same name, the broker would count on from the
        last one, and keep back what it takes for given."""
        self._is_stale = False
        await self._withdraw()
        self._channels.append(await self._new_channel(link))
        if not self._limit:
            link.deliver(self._channels[-1], lambda message: self._callback(message))
        taking = self._channels[-1].basic_consume(queue, self._take, no_ack=not self._limit)
        self._tag = (await ask(taking)).consumer_tag or ""

    async def _close_old(self) -> None:
        for channel in self._channels[:-1]:
            if not channel.is_closed and not self._held(channel):
                await ask(channel.close())
        self._channels = [*(each for each in self._channels[:-1] if not each.is_closed), *self._channels[-1:]]

    async def _withdraw(self) -> None:
        if self._takes:
            with suppress(*FAILURES):
                await ask(self._channels[-1].basic_cancel(self._tag))
        self._tag = ""

    @property
    def _has_channel(self) -> bool:
        return bool(self._channels) and not self._channels[-1].is_closed

    @property
    def _takes(self) -> bool:
        return self._has_channel and self._tag in self._channels[-1].consumers

    async def _take(self, message: DeliveredMessage) -> None:
        self._callback(message)

    async def _new_channel(self, link: Link) -> Channel:
        channel = await link.new_channel()
        channel.closing.add_done_callback(lambda _: self._look.set())
        channel.on_consumer_cancel_callbacks.add(lambda _: self._look.set())
        if self._limit:
            await ask(channel.basic_qos(prefetch_count=self._limit))
        return channel
