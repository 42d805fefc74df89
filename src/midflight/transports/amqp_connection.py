"""A connection to a RabbitMQ broker that is mended by itself: one link after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from midflight.errors import BrokerUnreachable
from midflight.telemetry import count, log
from midflight.transports.amqp_access import Access
from midflight.transports.amqp_link import FAILURES, Broken, Link, NotTaken
from midflight.transports.amqp_post import Post

WATCH_SECONDS = 1.0
PAUSE_SECONDS = 0.25
LONGEST_PAUSE = 4.0
"""Between two rounds of attempts to come back, on the average; no two members wait equally long."""


class Pauses:
    """How long a member waits that could not come back. A broker that refuses is about to start, and costs nothing to
    ask: that pause stays short. One that takes a connection and does not get to it has too many of them, and has worked
    for nothing where it is given up: after each such attempt the pause is doubled, up to LONGEST_PAUSE."""

    def __init__(self) -> None:
        self._pause = PAUSE_SECONDS

    def after(self, *, overrun: bool) -> float:
        """Seconds until the next attempt; ``overrun`` says whether the last one has run into its time limit."""
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if overrun else PAUSE_SECONDS
        return self._pause * random.uniform(0.5, 1.5)


class Connection:
    """A connection under a name that the broker shows. Of several brokers it takes any that lets it in."""

    def __init__(self, access: Access, name: str, ack_wait: float) -> None:
        self.url = access.url
        self.on_lost: set[Callable[[], None]] = set()
        """Called when a link has come to its end, and with it all queues and messages that were its own."""
        self._access, self._name, self._ack_wait = access, name, ack_wait
        self._link: Link | None = None
        self._overrun = False
        """Whether a broker did not get to us in time, in the last round of attempts."""
        self._changed = asyncio.Condition()
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Connect. Raises BrokerUnreachable when every broker has failed once, each within 3 s."""
        self._closing = False
        self._link = await self._dial()
        self._keeper = asyncio.create_task(self._keep(self._link))

    async def close(self) -> None:
        """Leave. Does nothing where it was never open."""
        self._closing = True
        await self._tell_who_waits()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._link is not None:
            await self._link.close()

    async def link(self, deadline: float) -> Link:
        """The living link, waited for until ``deadline`` by the loop's clock. Raises NotTaken."""
        while (link := self._link) is None or link.is_lost:
            if self._closing or self._keeper is None:
                raise NotTaken(f"the connection to {self.url} was closed")
            await self._until_mended(deadline)
        return link

    async def post(self, use: str, deadline: float) -> Post:
        """The living way to send for this use. Raises NotTaken where there is none until then."""
        if self._link is not None and not self._link.is_lost and (post := self._link.living_post(use)) is not None:
            return post
        link = await self.link(deadline)
        try:
            async with asyncio.timeout_at(deadline):
                return await link.post(use)
        except (Broken, TimeoutError):
            raise NotTaken(f"no channel to {self.url}") from None

    @property
    def _has_link(self) -> bool:
        return self._link is not None and not self._link.is_lost

    async def _tell_who_waits(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until_mended(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline), self._changed:
                await self._changed.wait_for(lambda: self._closing or self._has_link)
        except TimeoutError:
            raise NotTaken(f"no connection to {self.url}") from None

    async def _keep(self, link: Link) -> None:
        while True:
            await self._watch_over(link)
            self._lost()
            self._link = link = await self._redial()
            log.info("transport.reconnected", broker=self.url)
            await self._tell_who_waits()

    async def _watch_over(self, link: Link) -> None:
        while not link.is_lost:
            await link.until_lost(WATCH_SECONDS)
            if not link.is_lost and not await link.answers():
                log.warning("transport.broken_off", broker=self.url, reason="no sign of life")
                link.cut()
                await link.until_lost(WATCH_SECONDS)

    def _lost(self) -> None:
        self._link = None
        count("transport.disconnected")
        log.warning("transport.disconnected", broker=self.url)
        for callback in self.on_lost:
            callback()

    async def _redial(self) -> Link:
        pauses = Pauses()
        while True:
            try:
                return await self._dial()
            except BrokerUnreachable:
                await asyncio.sleep(pauses.after(overrun=self._overrun))

    async def _dial(self) -> Link:
        reasons: list[str] = []
        self._overrun = False
        self._access.renew()
        for server in random.sample(self._access.servers, len(self._access.servers)):
            link = Link(server, self._name, self._ack_wait, self._access.tls)
            try:
                await link.open()
            except BrokerUnreachable as error:
                reasons.append(error.reason)
                self._overrun |= link.overran
            except FAILURES as error:
                reasons.append(str(error) or "no answer")
                self._overrun |= isinstance(error, TimeoutError)
                await link.close()
            else:
                return link
        raise BrokerUnreachable(url=self.url, reason="; ".join(reasons))
