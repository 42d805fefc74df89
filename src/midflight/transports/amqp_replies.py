"""Answers to our own calls: they come to a queue that only we can read, and find who waits for them by a number.

The broker's own pseudo-queue for that, direct reply-to, does not come back after a restart under load.
"""

from __future__ import annotations

import asyncio
from itertools import count as numbers

from aiormq import spec
from aiormq.abc import DeliveredMessage

from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_link import Broken, Link, NotTaken
from midflight.transports.amqp_outbox import Outbox
from midflight.transports.amqp_queues import OwnQueue, Queues
from midflight.transports.amqp_subscription import Subscription


class Replies:
    """The queue of one member, and the calls that wait for an answer from it."""

    def __init__(self, connection: Connection, outbox: Outbox, queues: Queues, member: str) -> None:
        self._outbox, self._queues = outbox, queues
        self._queue = OwnQueue(queues.names, member)
        self._subscription = Subscription(connection, self._declare, self._answered)
        self._numbers = numbers(1)
        self._answers: dict[str, asyncio.Future[bytes | None]] = {}
        self._ready = asyncio.Event()
        connection.on_lost.add(self._lost)

    async def start(self) -> None:
        """Make the queue. Raises one of FAILURES."""
        await self._subscription.start()

    async def stop(self) -> None:
        """Take no more answers."""
        await self._subscription.stop()
        self._lost()

    async def request(self, queue: str, body: bytes, timeout: float) -> bytes:
        """Send a call to a queue and wait for its answer. Raises NotTaken, or another of FAILURES where it may have
        been taken: TimeoutError, or Broken when the answer can no longer come."""
        loop = asyncio.get_running_loop()
        deadline, number = loop.time() + timeout, str(next(self._numbers))
        await self._until_ready(deadline)
        answer: asyncio.Future[bytes | None] = loop.create_future()
        self._answers[number] = answer
        try:
            if not await self._outbox.send(queue, body, self._properties(number, timeout), deadline):
                raise NotTaken(f"nobody takes from {queue}")
            async with asyncio.timeout_at(deadline):
                received = await answer
        finally:
            del self._answers[number]
        if received is None:
            raise Broken("the connection was lost while the answer was awaited")
        return received

    def _properties(self, number: str, timeout: float) -> spec.Basic.Properties:
        milliseconds = str(max(1, int(timeout * 1000)))
        return spec.Basic.Properties(reply_to=self._queue.name, correlation_id=number, expiration=milliseconds)

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

    def _answered(self, message: DeliveredMessage) -> None:
        answer = self._answers.get(message.header.properties.correlation_id or "")
        if answer is not None and not answer.done():
            answer.set_result(message.body)

    def _lost(self) -> None:
        self._ready.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(None)
