"""What a member sends: each message confirmed by the broker, within its time.

It has a connection of its own, since a broker that is short of memory stops reading from those who publish, and must
still hear what became of the messages that it has given out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiormq import ChannelAccessRefused, ChannelNotFoundEntity, spec
from aiormq.abc import DeliveredMessage

from midflight.telemetry import log
from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_link import FAILURES, Denied, Link, NotTaken, guarded
from midflight.transports.amqp_names import delayed, undelayed
from midflight.transports.amqp_queues import Queues, milliseconds_of
from midflight.transports.amqp_senders import FROM, Senders, user_of
from midflight.transports.base import Address, Identity

PERSISTENT = 2
PAUSE_SECONDS = 0.1
TELL_SECONDS = 1.0

RIPE_SECONDS = 1.2
"""So old must a queue be before anyone can put something into it. RabbitMQ 3.10 writes down within a second that a
quorum queue is there; a younger one loses what it has confirmed when the broker is killed, and has no leader then."""

NEW_QUEUE = "midflight-new-queue"
"""The type of a fanout that is for the transport itself, and names a queue of casts that was not there before."""

MESSAGE_ID = "midflight-id"
"""Our header for it: the library needs RabbitMQ's own message id for itself, and that must never be sent twice."""

ACT = "midflight-act"
"""The act in which a cast that was parked was sent again."""

ATTEMPTS = "midflight-attempts"
"""How often a message was delivered before it was put into its queue anew."""


@dataclass(frozen=True)
class Place:
    """Where a message is to be stored, and how what is missing there is made."""

    key: str
    make: Callable[[Link], Awaitable[object]]
    exchange: str = ""


class Outbox:
    """Sends over one connection, as one member. ``deadline`` is a time by the loop's clock."""

    def __init__(self, connection: Connection, queues: Queues, senders: Senders) -> None:
        self._connection, self._queues, self._senders = connection, queues, senders

    async def send(
        self, key: str, body: bytes, properties: spec.Basic.Properties, deadline: float, exchange: str = ""
    ) -> bool:
        """Whether there was a queue for it. Raises NotTaken where it could certainly not be sent, else Broken or
        TimeoutError, or one of REFUSALS."""
        self._senders.sign(properties)
        exchange = exchange or self._queues.names.exchange
        while True:
            # Where an exchange is missing the broker closes the channel, which others should not have to suffer from.
            post = await self._connection.post(exchange, deadline)
            try:
                with guarded():
                    return await post.send(exchange, key, properties, body, deadline)
            except ChannelAccessRefused as refused:
                if f"'{key}'" in str(refused):
                    raise Denied(str(refused)) from None
                raise  # it was another one's on this channel
            except NotTaken:
                await asyncio.sleep(PAUSE_SECONDS)  # the channel was closed just now; there will be another one

    async def store_cast(self, address: Address, body: bytes, message_id: str, seconds: float, act: str = "") -> None:
        """Have a cast stored, in this act if it is replayed. Raises TimeoutError where the broker does not confirm that
        within so many seconds."""
        place = Place(self._queues.names.cast(address), partial(self._make_cast, address=address))
        await self._store(place, body, {MESSAGE_ID: message_id} | ({ACT: act} if act else {}), seconds)

    async def _make_cast(self, link: Link, address: Address) -> None:
        """In an order in which nothing can be forgotten: those who listen look for it by themselves only now and then,
        and so they are told before anything can come."""
        queue = await self._queues.declare_cast(link, address)
        with suppress(ChannelNotFoundEntity, ChannelAccessRefused):  # nobody ever listened, or we must not tell all
            deadline = asyncio.get_running_loop().time() + TELL_SECONDS
            news = spec.Basic.Properties(message_type=NEW_QUEUE)
            await self.send("", queue.encode(), news, deadline, self._queues.names.fanout(address.topic))
        await asyncio.sleep(RIPE_SECONDS)
        await self._queues.bind_cast(link, address)

    async def _make_later(self, link: Link, milliseconds: int) -> None:
        await self._queues.declare_later(link, milliseconds)
        await asyncio.sleep(RIPE_SECONDS)
        await self._queues.bind_later(link, milliseconds)

    async def _make_kept(self, link: Link, queue: str) -> None:
        await self._queues.declare_kept(link, queue)
        await asyncio.sleep(RIPE_SECONDS)
        await self._queues.bind_kept(link, queue)

    async def store_again(
        self, message: DeliveredMessage, sender: Identity, attempts: int, delay: float, seconds: float
    ) -> None:
        """Have a cast come to its queue once more after a delay. Errors as of ``store_cast``."""
        milliseconds = milliseconds_of(delay)
        make = partial(self._make_later, milliseconds=milliseconds)
        key = delayed(undelayed(message.routing_key or ""), milliseconds)
        place = Place(key, make, self._queues.names.delays)
        headers: dict[str, Any] = {MESSAGE_ID: message_id_of(message), ATTEMPTS: attempts, FROM: user_of(sender)}
        headers |= {ACT: act} if (act := act_of(message)) else {}
        await self._store(place, message.body, headers, seconds)

    async def keep(self, queue: str, body: bytes, headers: dict[str, Any], seconds: float) -> None:
        """Have a message stored where it lies until somebody looks. Errors as of ``store_cast``."""
        await self._store(Place(queue, partial(self._make_kept, queue=queue)), body, headers, seconds)

    async def tell(self, topic: str, body: bytes, deadline: float) -> None:
        """Send to everyone who listens to the topic. Errors as of ``send``."""
        exchange = self._queues.names.fanout(topic)
        async with asyncio.timeout_at(deadline):
            await self._queues.declare_exchange(await self._connection.link(deadline), exchange)
        await self.send("", body, spec.Basic.Properties(), deadline, exchange)

    async def _store(self, place: Place, body: bytes, headers: Mapping[str, Any], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline, reason = loop.time() + seconds, "no answer"
        while loop.time() < deadline:
            try:
                if await self._is_stored(place, body, headers, deadline):
                    return
                async with asyncio.timeout_at(deadline):
                    await place.make(await self._connection.link(deadline))
            except Denied:
                raise
            except FAILURES as error:
                reason = str(error) or reason
                await asyncio.sleep(PAUSE_SECONDS)
        log.warning("transport.not_stored", queue=place.key, reason=reason)
        raise TimeoutError

    async def _is_stored(self, place: Place, body: bytes, headers: Mapping[str, Any], deadline: float) -> bool:
        properties = spec.Basic.Properties(headers=dict(headers), delivery_mode=PERSISTENT)
        try:
            return await self.send(place.key, body, properties, deadline, place.exchange)
        except ChannelNotFoundEntity:
            return False


def message_id_of(message: DeliveredMessage) -> str:
    """The id by which a message was stored; empty for one that somebody else has put there."""
    return str(headers_of(message).get(MESSAGE_ID, ""))


def act_of(message: DeliveredMessage) -> str:
    """The act in which it was replayed; empty for one that was not."""
    return str(headers_of(message).get(ACT, ""))


def headers_of(message: DeliveredMessage) -> Mapping[str, Any]:
    """What was said about a message beside its body."""
    return message.header.properties.headers or {}
