"""Messages through a NATS broker.

Calls and fanouts are plain messages: a topic is shared through a queue group, and the broker itself says at once when
nobody subscribes. Casts are stored in a work queue of JetStream until somebody has acknowledged them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Self, TypeVar

from nats.aio.msg import Msg

from midflight.config import ANONYMOUS, Credentials
from midflight.errors import BrokerUnreachable, MessageTooLarge
from midflight.telemetry import bad_input, log
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
from midflight.transports.nats_bodies import Bodies
from midflight.transports.nats_calls import Calls
from midflight.transports.nats_connection import HEADROOM, Connection, Denied, NotTaken
from midflight.transports.nats_consumer import Consumer
from midflight.transports.nats_interest import Interest
from midflight.transports.nats_large import LargeCalls
from midflight.transports.nats_message import MESSAGE_ID, cancelled_by, identity, sign_of_life, status_of
from midflight.transports.nats_parked import Parked
from midflight.transports.nats_parts import Part
from midflight.transports.nats_senders import caller_of, teller_of
from midflight.transports.nats_store import Refused, Store
from midflight.transports.nats_subjects import WORKERS, Subjects, last_word
from midflight.transports.signs import CallsInHand

T = TypeVar("T")

ACK_SECONDS = 30.0
CAST_SECONDS = 5.0
REPLY_SECONDS = 5.0
"""How long an answer waits for a connection through which it can go."""


class NatsListener:
    """Takes work for one topic and host. Made by ``NatsTransport.listen``."""

    def __init__(
        self, connection: Connection, store: Store, bodies: Bodies, handlers: Handlers, *, limit: int, ack_wait: float
    ) -> None:
        self._connection, self._subjects, self._handlers = connection, store.subjects, handlers
        self._hands, self._takes_casts = Hands(), limit > 0
        self._calls = CallsInHand(self._hands, handlers.address.topic)
        self._inbox = connection.new_inbox()
        self._large = LargeCalls(connection, handlers.address.host, self._inbox)
        self._consumer = Consumer(connection, store, bodies, handlers.run, self._hands, limit=limit, ack_wait=ack_wait)
        self._interests: list[Interest] = []
        self._own: list[Interest] = []
        self._draining: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take work from now on."""
        address = self._handlers.address
        shared, own = Address(address.topic), [address] if address.host else []
        if self._takes_casts:
            await self._consumer.start([shared, *own])
        subscribe, subjects = self._connection.subscribe, self._subjects
        self._own.append(await subscribe(self._inbox, self._hear))  # before the first call, of which more may be said
        for each in (shared, *own):
            calls, is_hosts = subjects.call(each, None), each.host is not None
            self._interests.append(await subscribe(calls, self._called, WORKERS, is_hosts=is_hosts))
        self._interests.append(await subscribe(subjects.fanout(address.topic, None), self._told))
        if not await self._connection.flush():
            raise TimeoutError

    async def drain(self, timeout: float) -> None:
        """See ``Listener.drain``."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(timeout))
        await asyncio.shield(self._draining)

    async def _drain(self, timeout: float) -> None:
        # 1. The broker sends no new work here, and what it had sent is in hand. Its callers speak to our own inbox.
        await asyncio.gather(self._connection.withdraw(*self._interests), self._consumer.stop())
        # 2. What is in hand is finished, and its answers are sent; the rest is cancelled and its casts go back.
        await self._hands.finish(timeout)
        await self._hands.drop()
        # 3. The broker has confirmed all of it.
        await self._connection.withdraw(*self._own)
        await self._consumer.settle()
        await self._connection.flush()

    async def abandon(self) -> None:
        """Stop as if the process had been killed, unless it is drained."""
        if self._draining is None:
            await self._consumer.abandon()
            await self._hands.drop()

    def _hear(self, message: Msg) -> None:
        """What belongs to the calls in hand, to the end. Only those know the inbox who have made one."""
        if (name := cancelled_by(message)) is not None:
            self._calls.cancel(name)
        elif status_of(message) is None:  # else the broker says that a caller is gone
            self._large.go_on(message)

    def _called(self, message: Msg) -> None:
        if (sender := self._caller_of(message)) is None:
            return
        if not message.headers:
            self._take(message, self._answer(message, sender, message.data))
        elif (name := cancelled_by(message)) is not None:
            self._calls.cancel(name)
        elif (part := self._large.begun_by(message)) is not None:
            self._take(message, self._answer_large(message, sender, part))

    def _caller_of(self, message: Msg) -> Identity | None:
        try:
            return caller_of(message, self._subjects)
        except Unproven as wrong:
            refuse("call", self._handlers.address, str(wrong))
            return None

    def _take(self, message: Msg, work: Coroutine[Any, Any, None]) -> None:
        self._calls.take(last_word(message.reply), work, partial(self._give_sign, message.reply))

    def _told(self, message: Msg) -> None:
        try:
            self._hands.take(self._handlers.tell(message.data, teller_of(message)))
        except Unproven as wrong:
            refuse("fanout", self._handlers.address, str(wrong))

    async def _answer_large(self, message: Msg, sender: Identity, part: Part) -> None:
        if (body := await self._large.received(message, part)) is not None:
            await self._answer(message, sender, body)

    async def _answer(self, message: Msg, sender: Identity, body: bytes) -> None:
        answer = await self._handlers.answer(body, sender, max(MAX_WHOLE, self._connection.max_body))
        if answer is None:
            return
        try:
            if len(answer) > self._connection.max_body:
                await self._large.send(message.reply, answer)
                return
            deadline = asyncio.get_running_loop().time() + REPLY_SECONDS
            await self._connection.publish(message.reply, answer, deadline=deadline, at_once=len(self._calls) <= 1)
        except (NotTaken, TimeoutError) as error:
            facts = {"address": str(self._handlers.address), "reason": str(error) or "no answer"}
            bad_input.note("transport.answer_lost", type(error).__name__, str(sender), **facts)

    def _give_sign(self, reply: str, pause: float) -> None:
        self._hands.take(self._send_sign(reply, pause))

    async def _send_sign(self, reply: str, pause: float) -> None:
        deadline, headers = asyncio.get_running_loop().time() + pause, sign_of_life(self._handlers.address.host, pause)
        with suppress(NotTaken, TimeoutError):  # the next one may arrive
            await self._connection.publish(reply, b"", deadline=deadline, reply=self._inbox, headers=headers)


class NatsTransport:
    """A transport over NATS. ``name`` is shown by the broker; ``identity`` is in all subjects to which we publish, and
    in those on which we are answered. After ``ack_wait`` seconds without a sign of life the cast of a vanished listener
    comes again."""

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
        self._subjects, self._identity = Subjects(project), identity
        self._connection = Connection(url, name, credentials, self._subjects.inbox(identity))
        self._store = Store(self._connection, self._subjects)
        self._calls = Calls(self._connection, self._subjects, identity)
        self._bodies = Bodies(self._connection, self._store)
        self._parked = Parked(self._connection, self._store, self._bodies, HEADROOM // 2)
        self._ack_wait = ack_wait
        self._listeners: list[NatsListener] = []

    @property
    def max_body(self) -> int:
        """See ``Transport.max_body``."""
        return self._connection.max_body

    @property
    def max_whole(self) -> int:
        """See ``Transport.max_whole``."""
        return max(MAX_WHOLE, self.max_body)

    async def open(self) -> Self:
        """See ``Transport.open``: at most 3 s for each server, and 10 s until the broker's store answers."""
        await self._connection.open()
        try:
            await self._calls.start()
            await self._store.patiently(self._store.declare)
        except BaseException as error:
            await self._connection.close()
            if isinstance(error, (Refused, NotTaken, TimeoutError)):
                raise self._unreachable(error) from None
            raise
        return self

    def _unreachable(self, error: Exception) -> BrokerUnreachable:
        missing = "it has no JetStream, where casts are kept: start nats-server with --jetstream"
        if isinstance(error, NotTaken) and not isinstance(error, Denied):
            return BrokerUnreachable(url=self._connection.url, reason=missing)
        reason = str(error) or "its JetStream does not answer"
        is_temporary = isinstance(error, TimeoutError) or (isinstance(error, Refused) and error.is_temporary)
        if is_temporary and self._store.replicas > 1:
            reason += ", which takes most servers of a cluster, and each of them when it is new"
        return BrokerUnreachable(url=self._connection.url, reason=reason)

    async def close(self) -> None:
        """See ``Transport.close``. Listeners that were not drained are abandoned: their casts come again later."""
        await asyncio.gather(*(listener.abandon() for listener in self._listeners))
        await self._calls.stop()
        await self._connection.close()

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """See ``Transport.call``."""
        self._check_size("call", address, body, self.max_whole)
        try:
            return await self._calls.call(address, body, timeout)
        except Denied:
            raise Forbidden(address=str(address)) from None
        except NotTaken:
            raise NobodyListens(address=str(address)) from None
        except Silent as silent:
            raise Vanished(address=str(address), seconds=silent.seconds) from None
        except TimeoutError:
            raise NoAnswer(address=str(address), seconds=timeout) from None

    async def cast(self, address: Address, body: bytes, message_id: str) -> None:
        """See ``Transport.cast``."""
        self._check_size("cast", address, body, self.max_whole)
        await self._stored(address, self._put(address, body, message_id))

    async def fanout(self, topic: str, body: bytes) -> None:
        """See ``Transport.fanout``."""
        self._check_size("fanout", topic, body, self.max_body)
        try:
            deadline = asyncio.get_running_loop().time() + REPLY_SECONDS
            # The id is for those who are moving from one server to another, and hear it by both.
            subject, headers = self._subjects.fanout(topic, self._identity), {MESSAGE_ID: secrets.token_hex(8)}
            await self._connection.publish(subject, body, deadline=deadline, headers=headers)
        except (NotTaken, TimeoutError) as error:
            log.warning("transport.fanout_lost", topic=topic, reason=str(error) or "no answer")

    async def listen(
        self, address: Address, on_call: CallHandler, on_cast: CastHandler, on_fanout: FanoutHandler, *, limit: int = 64
    ) -> NatsListener:
        """See ``Transport.listen``. Raises BrokerUnreachable when the broker is away."""
        handlers = Handlers(address, on_call, on_cast, on_fanout)
        listener = NatsListener(
            self._connection, self._store, self._bodies, handlers, limit=limit, ack_wait=self._ack_wait
        )
        try:
            await listener.start()
        except (Refused, NotTaken, TimeoutError) as error:
            await listener.drain(timeout=0)
            raise self._unreachable(error) from None
        self._listeners.append(listener)
        return listener

    async def park(self, message: ParkedMessage) -> None:
        """See ``Transport.park``. Raises NoAnswer as ``cast`` does; facts that are too long are cut."""
        await self._stored(message.address, self._parked.put(message, CAST_SECONDS))

    async def parked(self, address: Address | None = None) -> list[ParkedMessage]:
        """See ``Transport.parked``. Raises BrokerUnreachable when the broker is away."""
        return await self._asked(self._parked.read(address))

    async def find_parked(self, address: Address, message_id: str) -> ParkedMessage | None:
        """See ``Transport.find_parked``. Raises BrokerUnreachable when the broker is away."""
        return await self._asked(self._parked.find(address, message_id))

    async def replay(self, message: ParkedMessage, act: str) -> None:
        """See ``Transport.replay``."""
        await self._stored(message.address, self._put(message.address, message.body, message.message_id, act))

    async def discard(self, address: Address, message_id: str) -> bool:
        """See ``Transport.discard``. Raises BrokerUnreachable when the broker is away."""
        return await self._asked(self._parked.delete(address, message_id))

    async def _asked(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except (Refused, NotTaken, TimeoutError) as error:
            raise self._unreachable(error) from None

    async def _put(self, address: Address, body: bytes, message_id: str, act: str = "") -> None:
        stored = await self._bodies.put(address, body, f"{message_id} {act}", CAST_SECONDS)
        subject = self._subjects.cast(address, self._identity)
        await self._store.put(subject, stored, identity(message_id, act), CAST_SECONDS)

    async def _stored(self, address: Address, putting: Awaitable[object]) -> None:
        try:
            await putting
        except Denied:
            raise Forbidden(address=str(address)) from None
        except TimeoutError:
            raise NoAnswer(address=str(address), seconds=CAST_SECONDS) from None

    def _check_size(self, what: str, where: Address | str, body: bytes, limit: int) -> None:
        if len(body) > limit:
            raise MessageTooLarge(what=f"{what} to {where}", size=len(body), limit=limit)
