"""The queues and exchanges of a project, each with the settings by which it keeps its promise.

Declaring is done again and again: it makes what is missing, mends a lost binding, and changes nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from typing import Any

from aiormq import Channel, ChannelNotFoundEntity, ChannelPreconditionFailed

from midflight.transports.amqp_link import Link
from midflight.transports.amqp_names import Names
from midflight.transports.base import Address

FORGET_SECONDS = 10
"""A queue of calls that nobody takes any more is deleted at once, or so long after a broker's restart."""

SHORTEST_DELAY = 0.1

# Every queue whose messages must not be lost. RabbitMQ 4 throws away what came back 20 times, unless told otherwise.
DURABLE = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}

# The channels on which it is done. Where a quorum queue has no leader, one waits long, and holds up only its like.
DECLARE, DECLARE_DURABLE, LOOK = "declare", "declare durable", "look"


class Queues:
    """Declares what the names of a project stand for. Errors as of ``amqp_link.ask``."""

    def __init__(self, names: Names) -> None:
        self.names = names

    async def declare_call(self, link: Link, address: Address) -> str:
        """The queue of calls to an address, shared by all who listen there; it goes with the last of them."""
        expires = {"x-expires": FORGET_SECONDS * 1000}
        return await self._declare(link, DECLARE, self.names.call(address), expires, auto_delete=True)

    async def declare_cast(self, link: Link, address: Address) -> str:
        """The queue in which casts to an address wait."""
        return await self._declare(link, DECLARE_DURABLE, self.names.cast(address), DURABLE)

    async def find_cast(self, link: Link, address: Address) -> str | None:
        """The same, if it is there: it is made for the first cast, since most addresses never get one."""
        try:
            await self.count(link, name := self.names.cast(address))
        except ChannelNotFoundEntity:
            return None
        return name

    async def declare_parked(self, link: Link) -> str:
        """The queue in which parked messages lie."""
        return await self._declare(link, DECLARE_DURABLE, self.names.parked, DURABLE)

    async def declare_fanout(self, link: Link, topic: str, queue: str) -> str:
        """A queue of one listener's own that gets what is told to the topic."""
        exchange = self.names.fanout(topic)
        await self.declare_exchange(link, exchange)
        await self.declare_own(link, queue)
        await link.ask(DECLARE, lambda channel: channel.queue_bind(queue, exchange))
        return queue

    async def declare_own(self, link: Link, name: str) -> str:
        """A queue that only this link can use, and that goes with it."""
        await link.ask(DECLARE, lambda channel: channel.queue_declare(name, exclusive=True))
        return name

    async def declare_later(self, link: Link, milliseconds: int) -> str:
        """The exchange, and its queue, whose messages go on after so long to the queue that their routing key names."""
        name = self.names.later(milliseconds)
        await self.declare_exchange(link, name)
        waiting = {"x-message-ttl": milliseconds, "x-dead-letter-exchange": "", "x-overflow": "reject-publish"}
        arguments = {**DURABLE, **waiting, "x-dead-letter-strategy": "at-least-once"}
        await self._declare(link, DECLARE_DURABLE, name, arguments)
        await link.ask(DECLARE, lambda channel: channel.queue_bind(name, name))
        return name

    async def declare_exchange(self, link: Link, name: str) -> None:
        """An exchange that gives every message to every queue that is bound to it."""
        await link.ask(DECLARE, lambda channel: channel.exchange_declare(name, exchange_type="fanout", durable=True))

    async def count(self, link: Link, name: str) -> int:
        """How many messages wait in a queue that nobody has been given."""
        answer = await link.ask(LOOK, lambda channel: channel.queue_declare(name, passive=True))
        return answer.message_count or 0

    async def delete(self, link: Link, name: str) -> None:
        """Delete a queue."""
        await link.ask(DECLARE, lambda channel: channel.queue_delete(name))

    async def _declare(
        self, link: Link, use: str, name: str, arguments: dict[str, Any], *, auto_delete: bool = False
    ) -> str:
        """A queue that exists with other settings, as another release would have made it, is taken as it is."""

        def declaring(channel: Channel) -> Awaitable[object]:
            return channel.queue_declare(name, durable=True, auto_delete=auto_delete, arguments=arguments)

        try:
            await link.ask(use, declaring)
        except ChannelPreconditionFailed:
            await self.count(link, name)
        return name


class OwnQueue:
    """The name of a queue that only one member uses, another one on each link: the broker may still hold the last one
    for a connection that it takes for alive."""

    def __init__(self, names: Names, member: str) -> None:
        self._names, self._member = names, member
        self._link: Link | None = None
        self.name = ""

    def on(self, link: Link) -> str:
        """The name on this link."""
        if link is not self._link:
            self._link, self.name = link, self._names.own(self._member, secrets.token_hex(8))
        return self.name


def milliseconds_of(delay: float) -> int:
    """The delay, rounded up to 100 ms times a power of two, so that a few queues serve all delays."""
    steps = SHORTEST_DELAY
    while steps < delay:
        steps *= 2
    return round(steps * 1000)
