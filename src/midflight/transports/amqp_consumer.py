"""Casts as they come to one listener: run, and their broker told what became of them.

The broker gives out what it was not told of once more, when the connection is lost, and it does not know one message
that was sent twice for what it is. So a listener remembers what it has taken by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count as numbers

from aiormq.abc import AbstractChannel, DeliveredMessage

from midflight.telemetry import count
from midflight.transports import places
from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_link import FAILURES, guarded
from midflight.transports.amqp_outbox import ATTEMPTS, Outbox, act_of, headers_of, message_id_of
from midflight.transports.amqp_queues import Queues
from midflight.transports.amqp_seen import Seen
from midflight.transports.amqp_senders import Senders
from midflight.transports.amqp_subscription import Subscription
from midflight.transports.base import Address, CastDelivery, Identity
from midflight.transports.handlers import Unproven, refuse
from midflight.transports.hands import Hands
from midflight.transports.places import Places

SETTLE_SECONDS = 5.0

DELIVERIES = "x-delivery-count"
"""How often the broker has given the message out from this queue before."""

Run = Callable[[CastDelivery], Awaitable[float | None]]


class Consumer:
    """Takes the casts to some addresses. ``run`` returns None when a cast is done with, else the seconds after which it
    has to come again; at most ``limit`` run at once."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        queues: Queues,
        senders: Senders,
        run: Run,
        hands: Hands,
        *,
        limit: int,
    ) -> None:
        self._connection, self._outbox, self._queues, self._senders = connection, outbox, queues, senders
        self._run, self._hands = run, hands
        self._limit, self._places = limit, Places(limit)
        self._subscriptions: dict[str, Subscription] = {}
        self._numbers = numbers(1)
        self._seen = Seen()
        self._in_hand: dict[str, list[DeliveredMessage]] = {}
        self._settling = Hands()
        self._withdrawn = asyncio.Event()
        self._stopping = self._abandoned = False

    async def start(self, addresses: Iterable[Address]) -> None:
        """Take casts from now on, beginning with those that waited. Raises one of FAILURES."""
        for address in addresses:
            find = partial(self._queues.find_cast, address=address)
            arrived = partial(self._arrived, address)
            # The broker cannot be told of those that stand aside: it gives them out beforehand.
            limit = self._limit + places.ASIDE if address.host else self._limit
            subscription = Subscription(self._connection, find, arrived, limit=limit, held=self._held)
            self._subscriptions[self._queues.names.cast(address)] = subscription
            await subscription.start()

    def begin_anew(self, queue: str) -> None:
        """Somebody has made this queue just now."""
        if queue in self._subscriptions and not self._stopping:
            self._subscriptions[queue].renew()

    async def stop(self) -> None:
        """Take nothing new. What was on its way here, was not begun, or stands aside goes back at once."""
        self._stopping = True
        self._places.stop()
        await asyncio.gather(*(subscription.stop() for subscription in self._subscriptions.values()))
        self._withdrawn.set()

    async def settle(self) -> None:
        """Wait until the broker knows what became of all that was in hand."""
        await self._settling.finish(SETTLE_SECONDS)
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions.values()))

    async def abandon(self) -> None:
        """Say nothing more to the broker, as if the process had been killed."""
        self._abandoned = True
        await self._settling.drop()
        await asyncio.gather(*(subscription.let_go() for subscription in self._subscriptions.values()))

    def _held(self, channel: AbstractChannel) -> int:
        return sum(message.channel is channel for messages in self._in_hand.values() for message in messages)

    # Running

    def _arrived(self, address: Address, message: DeliveredMessage) -> None:
        if self._abandoned:
            return
        key, attempt = _name_of(message) or f"nameless {next(self._numbers)}", attempt_of(message)
        if key in self._in_hand:
            self._in_hand[key].append(message)
        elif self._seen.has_done(key) or (attempt == 1 and self._seen.has(key)):
            count("transport.duplicates")
            self._settling.take(self._acknowledge(message))
        else:
            self._start(address, key, message, attempt)

    def _start(self, address: Address, key: str, message: DeliveredMessage, attempt: int) -> None:
        try:
            sender = self._senders.of_cast(message, shared=address.host is None)
        except Unproven as wrong:
            refuse("cast", address, str(wrong))
            self._settling.take(self._acknowledge(message))
            return
        self._seen.add(key)
        self._in_hand[key] = [message]
        delivery = CastDelivery(message.body, message_id_of(message), attempt, sender, replayed=bool(act_of(message)))
        task = self._hands.take(self._in_turn(address, delivery))
        task.add_done_callback(partial(self._ran, key, sender))

    async def _in_turn(self, address: Address, delivery: CastDelivery) -> float | None:
        async with self._places.one(address) as place:
            return await self._run(replace(delivery, aside=place.aside))

    def _ran(self, key: str, sender: Identity, task: asyncio.Task[float | None]) -> None:
        messages, delay = self._in_hand.pop(key), 0.0 if task.cancelled() else task.result()
        if delay is None:
            self._seen.add_done(key)
        if not self._abandoned:
            self._settling.take(self._settle(messages, sender, delay))

    # Telling the broker

    async def _settle(self, messages: list[DeliveredMessage], sender: Identity, delay: float | None) -> None:
        """Of several deliveries of one message, the last is the one that the broker still waits for."""
        *copies, message = messages
        for copy in copies:
            await self._acknowledge(copy)
        if delay is None or (delay > 0 and await self._is_stored_again(message, sender, delay)):
            await self._acknowledge(message)
        else:
            await self._give_back(message)

    async def _is_stored_again(self, message: DeliveredMessage, sender: Identity, delay: float) -> bool:
        """Whether a copy waits in the broker, so that this one can go, and holds up nothing meanwhile."""
        try:
            await self._outbox.store_again(message, sender, attempt_of(message), delay, SETTLE_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _acknowledge(self, message: DeliveredMessage) -> None:
        await _tell(message.channel.basic_ack(_tag_of(message)))

    async def _give_back(self, message: DeliveredMessage) -> None:
        if self._stopping:
            await self._withdrawn.wait()  # else what we give back might come straight back to us
        await _tell(message.channel.basic_nack(_tag_of(message)))


async def _tell(word: Awaitable[None]) -> None:
    """Where the broker cannot be told any more, it gives the message out again by itself."""
    with suppress(*FAILURES):
        async with asyncio.timeout(SETTLE_SECONDS):
            with guarded():
                await word


def attempt_of(message: DeliveredMessage) -> int:
    """Which delivery of it this is, also where it was put into its queue anew."""
    headers = headers_of(message)
    here = max(_number(headers.get(DELIVERIES)), 1 if message.redelivered else 0)
    return _number(headers.get(ATTEMPTS)) + here + 1


def _name_of(message: DeliveredMessage) -> str:
    """What is sent again in another act is another message."""
    message_id, act = message_id_of(message), act_of(message)
    return f"{message_id} {act}" if act else message_id


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _tag_of(message: DeliveredMessage) -> int:
    return message.delivery_tag or 0
