"""The queues and exchanges of a project, each with the settings by which it keeps its promise.

Declaring is done again and again: it makes what is missing, mends a lost binding, and changes nothing else. What we
have no right to make is taken as it is there: the broker's configuration has made it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiormq import Channel, ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

from midflight.transports.amqp_link import Link
from midflight.transports.amqp_names import Names, delayed
from midflight.transports.base import Address, Identity

FORGET_SECONDS = 10
"""A queue of calls that nobody takes any more is deleted at once, or so long after a broker's restart."""

SHORTEST_DELAY, LONGEST_DELAY = 0.1, 30.0
"""Seconds."""

# Every queue whose messages must not be lost. RabbitMQ 4 throws away what came back 20 times, unless told otherwise.
DURABLE = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}

# The channels on which it is done. Where a quorum queue has no leader, one waits long, and holds up only its like.
DECLARE, DECLARE_DURABLE, LOOK = "declare", "declare durable", "look"


class Queues:
    """Declares what the names of a project stand for. Errors as of ``amqp_link.ask``."""

    def __init__(self, names: Names, *, has_rights: bool = False) -> None:
        self.names, self._has_rights = names, has_rights
        """Whether the broker gives rights: then it has been told of what is shared, and logs a try to make it as an
        error."""
        self._found: set[str] = set()
        """What is shared, and was there already, bound by who has made it."""

    async def declare_call(self, link: Link, address: Address) -> str:
        """The queue of calls to an address, shared by all who listen there; it goes with the last of them."""
        name, expires = self.names.call(address), {"x-expires": FORGET_SECONDS * 1000}
        await self._declare(link, DECLARE, name, expires, auto_delete=True)
        await self._bind(link, name)
        return name

    async def declare_cast(self, link: Link, address: Address) -> str:
        """The queue in which casts to an address wait; none comes before ``bind_cast``."""
        name = self.names.cast(address)
        await self._declare(link, DECLARE_DURABLE, name, DURABLE)
        return name

    async def bind_cast(self, link: Link, address: Address) -> None:
        """Have it get the casts to its address."""
        name = self.names.cast(address)
        await self._bind(link, name, name, f"*.{name}")

    async def find_cast(self, link: Link, address: Address) -> str | None:
        """The same, if it is there: it is made for the first cast, since most addresses never get one."""
        name = self.names.cast(address)
        return name if await self.is_there(link, name) else None

    async def declare_kept(self, link: Link, name: str) -> None:
        """A queue for parked messages, or for their places; none comes before ``bind_kept``."""
        await self._declare(link, DECLARE_DURABLE, name, DURABLE)

    async def bind_kept(self, link: Link, name: str) -> None:
        """Have it get what is sent there."""
        await self._bind(link, name)

    async def is_there(self, link: Link, name: str) -> bool:
        """Whether anybody has made this queue."""
        try:
            await self.count(link, name)
        except ChannelNotFoundEntity:
            return False
        return True

    async def declare_fanout(self, link: Link, topic: str, queue: str) -> str:
        """A queue of one listener's own that gets what is told to the topic."""
        exchange = self.names.fanout(topic)
        await self.declare_exchange(link, exchange)
        await self.declare_exclusive(link, queue)
        await link.ask(DECLARE, lambda channel: channel.queue_bind(queue, exchange))
        return queue

    async def declare_own(self, link: Link, name: str) -> str:
        """A queue that only this link can use, that goes with it, and that others can send to by its name."""
        await self.declare_exclusive(link, name)
        await self._bind(link, name)
        return name

    async def declare_exclusive(self, link: Link, name: str) -> None:
        """A queue that only this link can use, and that goes with it."""
        await link.ask(DECLARE, lambda channel: channel.queue_declare(name, exclusive=True))

    async def declare_later(self, link: Link, milliseconds: int) -> None:
        """The queue whose messages go on after so long to the queue that their key names, and its exchange; none comes
        before ``bind_later``."""
        name = self.names.later(milliseconds)
        await self._declare(link, DECLARE_DURABLE, name, later_arguments(self.names, milliseconds))
        await self.declare_exchange(link, self.names.delays, "topic")

    async def bind_later(self, link: Link, milliseconds: int) -> None:
        """Have it get what shall wait for so long."""
        name, key = self.names.later(milliseconds), delayed("#", milliseconds)
        await self._bind_to(link, self.names.delays, name, key)

    async def declare_exchange(self, link: Link, name: str, kind: str = "fanout") -> None:
        """An exchange: it gives every message to every queue that is bound to it, or by the message's key."""

        async def declaring(channel: Channel) -> None:
            await channel.exchange_declare(name, exchange_type=kind, durable=True)

        async def looking(channel: Channel) -> None:
            await channel.exchange_declare(name, passive=True)

        await self._made(link, DECLARE, name, declaring, looking, is_shared=True)

    async def _bind(self, link: Link, queue: str, *keys: str) -> None:
        """Have it get what is sent to these keys, or to its name."""
        await self.declare_exchange(link, self.names.exchange, "topic")
        for key in keys or (queue,):
            await self._bind_to(link, self.names.exchange, queue, key)

    async def _bind_to(self, link: Link, exchange: str, queue: str, key: str) -> None:
        try:
            await link.ask(DECLARE, lambda channel: channel.queue_bind(queue, exchange, key))
        except ChannelAccessRefused:
            if queue not in self._found:
                raise

    async def count(self, link: Link, name: str) -> int:
        """How many messages wait in a queue that nobody has been given."""
        answer = await link.ask(LOOK, lambda channel: channel.queue_declare(name, passive=True))
        return answer.message_count or 0

    async def delete(self, link: Link, name: str) -> None:
        """Delete a queue."""
        await link.ask(DECLARE, lambda channel: channel.queue_delete(name))

    async def _declare(
        self, link: Link, use: str, name: str, arguments: dict[str, Any], *, auto_delete: bool = False
    ) -> None:
        def declaring(channel: Channel) -> Awaitable[object]:
            return channel.queue_declare(name, durable=True, auto_delete=auto_delete, arguments=arguments)

        def looking(channel: Channel) -> Awaitable[object]:
            return channel.queue_declare(name, passive=True)

        await self._made(link, use, name, declaring, looking, is_shared=not auto_delete)

    async def _made(
        self,
        link: Link,
        use: str,
        name: str,
        declaring: Callable[[Channel], Awaitable[object]],
        looking: Callable[[Channel], Awaitable[object]],
        *,
        is_shared: bool,
    ) -> None:
        """What exists with other settings, as another release would have made it, is taken as it is."""
        if self._has_rights and is_shared and await self._is_there(link, use, name, looking):
            return
        try:
            await link.ask(use, declaring)
        except ChannelPreconditionFailed:
            await link.ask(use, looking)

    async def _is_there(self, link: Link, use: str, name: str, looking: Callable[[Channel], Awaitable[object]]) -> bool:
        try:
            await link.ask(use, looking)
        except ChannelNotFoundEntity:
            self._found.discard(name)
            return False
        self._found.add(name)
        return True


class OwnQueue:
    """The name of a queue that only one member uses, another one on each link: the broker may still hold the last one
    for a connection that it takes for alive."""

    def __init__(self, names: Names, identity: Identity, member: str) -> None:
        self._names, self._identity, self._member = names, identity, member
        self._link: Link | None = None
        self.name = ""

    def on(self, link: Link) -> str:
        """The name on this link."""
        if link is not self._link:
            self._link, self.name = link, self._names.own(self._identity, self._member, secrets.token_hex(8))
        return self.name


def later_arguments(names: Names, milliseconds: int) -> dict[str, Any]:
    """The settings of the queue in which casts wait for so long."""
    waiting = {"x-message-ttl": milliseconds, "x-dead-letter-exchange": names.exchange, "x-overflow": "reject-publish"}
    return {**DURABLE, **waiting, "x-dead-letter-strategy": "at-least-once"}


def milliseconds_of(delay: float) -> int:
    """The delay, rounded up to 100 ms times a power of two, so that a few queues serve all delays."""
    steps = SHORTEST_DELAY
    while steps < delay:
        steps *= 2
    return round(steps * 1000)
