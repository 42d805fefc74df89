"""Answers to our own calls: they come to a queue that only we can read, and find who waits for them by a name.

The broker's own pseudo-queue for that, direct reply-to, does not come back after a restart under load.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiormq import ChannelNotFoundEntity, spec
from aiormq.abc import DeliveredMessage

from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_link import FAILURES, Broken, Link, NotTaken
from midflight.transports.amqp_outbox import Outbox
from midflight.transports.amqp_queues import OwnQueue, Queues
from midflight.transports.amqp_signs import CANCEL, sign_in
from midflight.transports.amqp_subscription import Subscription
from midflight.transports.awaited import OwnCalls
from midflight.transports.base import Address, Identity
from midflight.transports.signs import new_name


class Replies:
    """The queue of one member, and the calls that wait for an answer from it."""

    def __init__(self, connection: Connection, outbox: Outbox, queues: Queues, identity: Identity, member: str) -> None:
        self._outbox, self._queues = outbox, queues
        self._queue = OwnQueue(queues.names, identity, member)
        self._subscription = Subscription(connection, self._declare, self._heard)
        self._calls = OwnCalls[bytes | None](self._cancel)
        self._ready = asyncio.Event()
        connection.on_lost.add(self._lost)

    async def start(self) -> None:
        """Make the queue. Raises one of FAILURES."""
        await self._subscription.start()

    async def stop(self) -> None:
        """Send the last cancellations, and take no more answers."""
        await self._calls.stop()
        await self._subscription.stop()
        self._lost()

    async def request(self, address: Address, body: bytes, timeout: float) -> bytes:
        """Send a call and wait for its answer. Raises NotTaken; Silent or another of FAILURES where it may have been
        taken: TimeoutError, or Broken when the answer can no longer come."""
        deadline, name = asyncio.get_running_loop().time() + timeout, new_name(timeout)
        if not self._ready.is_set():
            await self._until_ready(deadline)
        answer, queue = self._calls.begin(name, address, deadline), self._queues.names.call(address)
        try:
            if not await self._is_sent(queue, body, self._properties(name, timeout), deadline):
                raise NotTaken(f"nobody takes from {queue}")
            received = await answer
        except BaseException:
            self._calls.give_up(name)
            raise
        self._calls.end(name)
        if received is None:
            raise Broken("the connection was lost while the answer was awaited")
        return received

    async def _is_sent(self, queue: str, body: bytes, properties: spec.Basic.Properties, deadline: float) -> bool:
        try:
            return await self._outbox.send(queue, body, properties, deadline)
        except ChannelNotFoundEntity:  # the exchange is gone, and with it the queue
            return False

    def _properties(self, name: str, timeout: float) -> spec.Basic.Properties:
        milliseconds = str(max(1, int(timeout * 1000)))
        return spec.Basic.Properties(reply_to=self._queue.name, correlation_id=name, expiration=milliseconds)

    async def _cancel(self, address: Address, _: str, name: str, deadline: float) -> None:
        properties = spec.Basic.Properties(message_type=CANCEL, correlation_id=name)
        with suppress(*FAILURES):
            await self._outbox.send(self._queues.names.call(address), b"", properties, deadline)

    async def _until_ready(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._ready.wait()
        except TimeoutError:
            raise NotTaken("there is no queue for the answer") from None

    async def _declare(self, link: Link) -> str:
        name = await self._queues.declare_own(link, self._queue.on(link))
        self._ready.set()
        return name

    def _heard(self, message: DeliveredMessage) -> None:
        name = message.header.properties.correlation_id or ""
        if (sign := sign_in(message)) is None:
            self._calls.answered(name, message.body)
        else:
            self._calls.sign(name, *sign)

    def _lost(self) -> None:
        self._ready.clear()
        self._calls.all_answered(None)
