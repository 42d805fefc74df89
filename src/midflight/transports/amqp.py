"""Messages through a RabbitMQ broker.

Calls are plain messages to a queue that is there as long as somebody takes from it, so the broker itself says at once
when nobody listens. Casts are stored in a quorum queue of their address until somebody has acknowledged them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Self, TypeVar

from aiormq import spec
from aiormq.abc import DeliveredMessage

from midflight.config import ANONYMOUS, Credentials
from midflight.errors import BrokerUnreachable, MessageTooLarge
from midflight.telemetry import bad_input, log
from midflight.transports.amqp_access import Access
from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_consumer import Consumer
from midflight.transports.amqp_link import FAILURES, Denied, Link, NotTaken
from midflight.transports.amqp_names import Names
from midflight.transports.amqp_outbox import NEW_QUEUE, Outbox
from midflight.transports.amqp_parked import Parked
from midflight.transports.amqp_queues import OwnQueue, Queues
from midflight.transports.amqp_replies import Replies
from midflight.transports.amqp_senders import Senders
from midflight.transports.amqp_signs import CANCEL, sign_of_life
from midflight.transports.amqp_subscription import Subscription
from midflight.transports.awaited import Silent
from midflight.transports.base import (
    MAX_WHOLE,
    Address,
    CallHandler,
    CastHandler,
    FanoutHandler,
    Forbidden,
    Identity,
    NoAnswer,
    NobodyListens,
    ParkedMessage,
    Vanished,
)
from midflight.transports.handlers import Handlers, Unproven, refuse
from midflight.transports.hands import Hands
from midflight.transports.signs import CallsInHand

T = TypeVar("T")

ACK_SECONDS = 30.0
CAST_SECONDS = 5.0
REPLY_SECONDS = 5.0
"""How long an answer waits for a connection through which it can go."""

MAX_BODY = 1_040_384
"""Bytes: what the NATS adapter takes by default, so that what works over one broker works over the other. RabbitMQ
itself takes 16 MiB at least."""


class AmqpListener:
    """Takes work for one topic and host. Made by ``AmqpTransport.listen``."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        queues: Queues,
        senders: Senders,
        own: OwnQueue,
        handlers: Handlers,
        *,
        limit: int,
    ) -> None:
        self._connection, self._outbox, self._queues, self._handlers = connection, outbox, queues, handlers
        self._senders, self._own = senders, own
        self._hands, self._takes_casts = Hands(), limit > 0
        self._calls = CallsInHand(self._hands, handlers.address.topic)
        self._consumer = Consumer(connection, outbox, queues, senders, handlers.run, self._hands, limit=limit)
        self._subscriptions: list[Subscription] = []
        self._draining: asyncio.Task[None] | None = None
        self._abandoned = False

    async def start(self) -> None:
        """Take work from now on. Raises one of FAILURES."""
        address = self._handlers.address
        addresses = [Address(address.topic), *([address] if address.host else [])]
        if self._takes_casts:
            await self._consumer.start(addresses)
        declare = self._queues.declare_call
        self._subscriptions = [
            *(Subscription(self._connection, partial(declare, address=each), self._called) for each in addresses),
            Subscription(self._connection, self._declare_fanout, self._told),
        ]
        await asyncio.gather(*(subscription.start() for subscription in self._subscriptions))

    async def drain(self, timeout: float) -> None:
        """See ``Listener.drain``."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(timeout))
        await asyncio.shield(self._draining)

    async def _drain(self, timeout: float) -> None:
        # 1. The broker sends nothing more here, and what it had sent is in hand.
        await asyncio.gather(*(subscription.retire() for subscription in self._subscriptions), self._consumer.stop())
        # 2. What is in hand is finished, and its answers are sent; the rest is cancelled and its casts go back.
        await self._hands.finish(timeout)
        await self._hands.drop()
        # 3. The broker has heard what became of all of it.
        await self._consumer.settle()

    async def abandon(self) -> None:
        """Stop as if the process had been killed, unless it is drained."""
        if self._draining is None:
            self._abandoned = True
            await self._consumer.abandon()
            await asyncio.gather(*(subscription.let_go() for subscription in self._subscriptions))
            await self._hands.drop()

    async def _declare_fanout(self, link: Link) -> str:
        return await self._queues.declare_fanout(link, self._handlers.address.topic, self._own.on(link))

    def _called(self, message: DeliveredMessage) -> None:
        asked = message.header.properties
        name = asked.correlation_id or ""
        try:
            sender = self._senders.of(message)
            if asked.message_type == CANCEL:
                self._calls.cancel(name)
                return
            self._check_reply(sender, asked.reply_to or "")
        except Unproven as wrong:
            refuse("call", self._handlers.address, str(wrong))
            return
        if not self._abandoned:
            give = partial(self._give_sign, asked.reply_to or "", name)
            self._calls.take(name, self._answer(message, sender), give)

    def _check_reply(self, sender: Identity, queue: str) -> None:
        """Who answers where its caller must not listen would speak for it. Raises Unproven."""
        if not queue.startswith(self._queues.names.owned_by(sender)):
            raise Unproven(f"{sender} wants its answer in {queue or 'no queue'}, which is not its own")

    def _give_sign(self, queue: str, name: str, pause: float) -> None:
        self._hands.take(self._send_sign(queue, name, pause))

    async def _send_sign(self, queue: str, name: str, pause: float) -> None:
        properties = sign_of_life(name, self._handlers.address.host, pause)
        with suppress(*FAILURES):  # the next one may arrive
            await self._outbox.send(queue, b"", properties, asyncio.get_running_loop().time() + pause)

    def _told(self, message: DeliveredMessage) -> None:
        if message.header.properties.message_type == NEW_QUEUE:
            self._consumer.begin_anew(message.body.decode(errors="replace"))
            return
        try:
            sender = self._senders.of(message)
        except Unproven as wrong:
            refuse("fanout", self._handlers.address, str(wrong))
            return
        if not self._abandoned:
            self._hands.take(self._handlers.tell(message.body, sender))

    async def _answer(self, message: DeliveredMessage, sender: Identity) -> None:
        asked = message.header.properties
        answer = await self._handlers.answer(message.body, sender, MAX_WHOLE)
        if answer is None or not asked.reply_to:
            return
        try:
            deadline = asyncio.get_running_loop().time() + REPLY_SECONDS
            properties = spec.Basic.Properties(correlation_id=asked.correlation_id)
            await self._outbox.send(asked.reply_to, answer, properties, deadline)
        except FAILURES as error:
            facts = {"address": str(self._handlers.address), "reason": str(error) or "no answer"}
            bad_input.note("transport.answer_lost", type(error).__name__, str(sender), **facts)


class AmqpTransport:
    """A transport over RabbitMQ; ``url`` may name several brokers with commas between them. ``name`` is shown by the
    broker; ``identity`` is who we are to those who get what we send. After ``ack_wait`` seconds, 10 at least, without a
    sign of life from a member the broker lets go of it, and the casts that it had in hand come again; when its
    connection is closed, that is at once."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        project: str,
        identity: Identity,
        credentials: Credentials = ANONYMOUS,
        ack_wait: float = ACK_SECONDS,
    ) -> None:
        access = Access.to(url, credentials)
        self._name, self._senders = name, Senders(identity, access.user)
        self._queues = Queues(Names(project), has_rights=self._senders.are_proven)
        self._inbound = Connection(access, f"{name} (receives)", ack_wait)
        self._outbound = Connection(access, f"{name} (sends)", ack_wait)
        self._outbox = Outbox(self._outbound, self._queues, self._senders)
        self._replies = Replies(self._inbound, self._outbox, self._queues, identity, name)
        self._parked = Parked(self._inbound, self._outbox, self._queues)
        self._listeners: list[AmqpListener] = []

    @property
    def max_body(self) -> int:
        """See ``Transport.max_body``."""
        return MAX_BODY

    @property
    def max_whole(self) -> int:
        """See ``Transport.max_whole``. RabbitMQ takes it as one message, so here nothing goes in parts."""
        return MAX_WHOLE

    async def open(self) -> Self:
        """See ``Transport.open``: at most 3 s for each broker, and then 5 s until we can be answered."""
        try:
            await self._inbound.open()
            await self._outbound.open()
            await self._replies.start()
        except FAILURES as error:
            await self.close()
            raise self._unreachable(error) from None
        except BaseException:
            await self.close()
            raise
        return self

    def _unreachable(self, error: Exception) -> BrokerUnreachable:
        return BrokerUnreachable(url=self._inbound.url, reason=str(error) or "it does not answer")

    async def close(self) -> None:
        """See ``Transport.close``. Listeners that were not drained are abandoned: their casts come again at once."""
        await asyncio.gather(*(listener.abandon() for listener in self._listeners))
        await self._replies.stop()
        await asyncio.gather(self._inbound.close(), self._outbound.close())

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """See ``Transport.call``. A lost connection ends it at once: the answer could not come any more."""
        self._check_size(f"call to {address}", body)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            return await self._replies.request(address, body, timeout)
        except Denied:
            raise Forbidden(address=str(address)) from None
        except NotTaken:
            raise NobodyListens(address=str(address)) from None
        except Silent as silent:
            raise Vanished(address=str(address), seconds=silent.seconds) from None
        except TimeoutError:
            raise NoAnswer(address=str(address), seconds=timeout) from None
        except FAILURES as error:
            log.warning("transport.call_lost", address=str(address), reason=str(error))
            raise NoAnswer(address=str(address), seconds=round(loop.time() - begun, 3)) from None

    async def cast(self, address: Address, body: bytes, message_id: str) -> None:
        """See ``Transport.cast``."""
        self._check_size(f"cast to {address}", body)
        await self._stored(address, self._outbox.store_cast(address, body, message_id, CAST_SECONDS))

    async def fanout(self, topic: str, body: bytes) -> None:
        """See ``Transport.fanout``."""
        self._check_size(f"fanout to {topic}", body, MAX_BODY)
        try:
            await self._outbox.tell(topic, body, asyncio.get_running_loop().time() + REPLY_SECONDS)
        except FAILURES as error:
            log.warning("transport.fanout_lost", topic=topic, reason=str(error) or "no answer")

    async def listen(
        self, address: Address, on_call: CallHandler, on_cast: CastHandler, on_fanout: FanoutHandler, *, limit: int = 64
    ) -> AmqpListener:
        """See ``Transport.listen``. Raises BrokerUnreachable when the broker is away."""
        handlers = Handlers(address, on_call, on_cast, on_fanout)
        own = OwnQueue(self._queues.names, self._senders.identity, self._name)
        listener = AmqpListener(self._inbound, self._outbox, self._queues, self._senders, own, handlers, limit=limit)
        try:
            await listener.start()
        except FAILURES as error:
            await listener.drain(timeout=0)
            raise self._unreachable(error) from None
        self._listeners.append(listener)
        return listener

    async def park(self, message: ParkedMessage) -> None:
        """See ``Transport.park``. Raises NoAnswer as ``cast`` does."""
        await self._stored(message.address, self._parked.keep(message, CAST_SECONDS))

    async def parked(self, address: Address | None = None) -> list[ParkedMessage]:
        """See ``Transport.parked``. Raises BrokerUnreachable when the broker is away."""
        return await self._asked(self._parked.read(address))

    async def find_parked(self, address: Address, message_id: str) -> ParkedMessage | None:
        """See ``Transport.find_parked``. Raises BrokerUnreachable when the broker is away."""
        return await self._asked(self._parked.find(address, message_id))

    async def replay(self, message: ParkedMessage, act: str) -> None:
        """See ``Transport.replay``."""
        storing = self._outbox.store_cast(message.address, message.body, message.message_id, CAST_SECONDS, act)
        await self._stored(message.address, storing)

    async def discard(self, address: Address, message_id: str) -> bool:
        """See ``Transport.discard``. Raises BrokerUnreachable when the broker is away."""
        return await self._asked(self._parked.delete(address, message_id))

    async def _asked(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except FAILURES as error:
            raise self._unreachable(error) from None

    async def _stored(self, address: Address, storing: Awaitable[None]) -> None:
        try:
            await storing
        except Denied:
            raise Forbidden(address=str(address)) from None
        except TimeoutError:
            raise NoAnswer(address=str(address), seconds=CAST_SECONDS) from None

    def _check_size(self, what: str, body: bytes, limit: int = MAX_WHOLE) -> None:
        if len(body) > limit:
            raise MessageTooLarge(what=what, size=len(body), limit=limit)
