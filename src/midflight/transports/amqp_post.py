"""Messages on their way to the broker by one channel, each until the broker has confirmed it."""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Any

import pamqp.frame
from aiormq import Channel, DeliveryError, spec
from aiormq.abc import DeliveredMessage
from pamqp.header import ContentHeader

from midflight.transports.amqp_wire import ACK, NACK, RETURN, Wire
from midflight.transports.deadlines import Deadlines

MOST_QUEUES = 10_000
"""For so many queues the method is written once."""

_HEAD = Struct(">BHI")
_BODY = 3
_END = b"\xce"
_OVERHEAD = 8
"""Bytes of a frame beside its payload."""


class Post:
    """Sends by a channel of its own, whose messages the broker confirms in the order in which they were sent.

    A message has its number for its id, so that one that comes back, since there is no queue for it, is known again.
    """

    def __init__(self, channel: Channel, wire: Wire) -> None:
        self._channel, self._wire = channel, wire
        self._loop = asyncio.get_running_loop()
        self._largest = channel.connection.connection_tune.frame_max - _OVERHEAD  # RabbitMQ takes no 0 for it
        self._sent: dict[str, asyncio.Future[bool]] = {}
        self._deadlines = Deadlines(self._sent, self._is_late)
        self._number = 0
        self._methods: dict[tuple[str, str], bytes] = {}
        wire.shorten(channel, (ACK, NACK, RETURN), self._told)
        channel.closing.add_done_callback(self._closed)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent by it any more."""
        return self._channel.is_closed

    async def send(
        self, exchange: str, key: str, properties: spec.Basic.Properties, body: bytes, deadline: float
    ) -> bool:
        """Whether there was a queue for it, as soon as the broker says so. Raises TimeoutError at a time of the loop's
        clock, or what closed the channel."""
        if self._wire.is_full:
            async with asyncio.timeout_at(deadline):
                await self._wire.make_room()
        self._number += 1
        properties.message_id = name = str(self._number)
        sent: asyncio.Future[bool] = self._loop.create_future()
        self._sent[name] = sent
        self._deadlines.add(name, deadline)
        self._wire.write(self._frames(exchange, key, properties, body))
        return await sent

    def _frames(self, exchange: str, key: str, properties: spec.Basic.Properties, body: bytes) -> bytes:
        """A method, which is the same for all that go to one queue; a header; and a body in as many parts as needed."""
        number = self._channel.number
        method = self._methods.get((exchange, key))
        if method is None:
            publish = spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
            method = pamqp.frame.marshal(publish, number)
            if len(self._methods) < MOST_QUEUES:
                self._methods[exchange, key] = method
        header = pamqp.frame.marshal(ContentHeader(properties=properties, body_size=len(body)), number)
        parts = (body[at : at + self._largest] for at in range(0, len(body), self._largest))
        return b"".join([method, header, *(self._framed(part) for part in parts)])

    def _framed(self, part: bytes) -> bytes:
        return _HEAD.pack(_BODY, self._channel.number, len(part)) + part + _END

    def _told(self, method: Any, message: DeliveredMessage | None) -> None:
        if message is not None:  # it has come back; that it was taken all the same is told next, and passed over
            self._settle(message.header.properties.message_id or "", False)
        elif isinstance(method, spec.Basic.Ack):
            for number in self._numbers_of(method):
                self._settle(number, True)
        else:
            for number in self._numbers_of(method):
                self._fail(number, DeliveryError(None, method))

    def _numbers_of(self, method: Any) -> list[str]:
        """Those that are confirmed by one word: one, or all up to it."""
        last = method.delivery_tag or 0
        if not method.multiple:
            return [str(last)]
        return [number for number in list(self._sent) if int(number) <= last]

    def _settle(self, number: str, taken: bool) -> None:
        if (sent := self._sent.pop(number, None)) is not None and not sent.done():
            sent.set_result(taken)

    def _fail(self, number: str, error: BaseException) -> None:
        if (sent := self._sent.pop(number, None)) is not None and not sent.done():
            sent.set_exception(error)

    def _is_late(self, number: str) -> None:
        self._fail(number, TimeoutError())

    def _closed(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        for number in list(self._sent):
            self._fail(number, error or ConnectionError("the channel was closed"))
