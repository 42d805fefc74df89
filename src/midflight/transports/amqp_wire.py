"""The socket under a connection of the AMQP library, and a short way for messages through it.

The library reads each frame in three steps, hands it from task to task by queues, and starts a task for each message;
it writes a message while it holds a lock until the socket has taken the last one. That was nine tenths of what a call
cost. Here the frames of a message are put together as they arrive, on channels that are registered for it, and what is
written in one turn of the loop goes out together. All else goes the library's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Any

import pamqp.frame
from aiormq import TransportFactory, spec
from aiormq.abc import DeliveredMessage
from pamqp.header import ContentHeader

from midflight.telemetry import log
from midflight.transports.bursts import Burst

FULL = 1 << 20
"""So many bytes may wait for a broker that does not read; who wants to send more waits as well."""

ALIVE_SECONDS = 1.0
"""How often the library is told that something has come: it takes a connection for dead of which it hears nothing."""

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_KINDS = (_METHOD, _HEADER, _BODY, _HEARTBEAT)
_HEAD = Struct(">BHI")
"""Before the payload of a frame: its kind, its channel, its size."""

_BESIDE = _HEAD.size + 1
"""Bytes of a frame beside its payload, which one byte ends."""

_ALIVE = b"\x08\x00\x00\x00\x00\x00\x00\xce"

# The beginnings of payloads, by class and method.
DELIVER, RETURN = b"\x00\x3c\x00\x3c", b"\x00\x3c\x00\x32"
ACK, NACK = b"\x00\x3c\x00\x50", b"\x00\x3c\x00\x78"

Take = Callable[[Any, DeliveredMessage | None], None]
"""Takes a method, and the message that has come with it, if one has."""


class Wire(TransportFactory):
    """The socket under a connection."""

    def __init__(self) -> None:
        self.received = 0
        self._writer: asyncio.StreamWriter | None = None
        self._loop = asyncio.get_running_loop()
        self._burst = Burst(self._send)
        self._ways: dict[int, _Way] = {}

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect. Called by the library."""
        tls = await options["ssl_context_provider"].get_context() if url.scheme == "amqps" else None
        reader = _Reader(self, self._ways)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        transport, _ = await self._loop.create_connection(lambda: protocol, url.host or "", url.port or 0, ssl=tls)
        self._writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        return reader, self._writer

    def shorten(self, channel: Any, methods: tuple[bytes, ...], take: Take) -> None:
        """Have these methods of a channel given to ``take``, by the reader itself, as long as the channel is there."""
        way = self._ways[channel.number] = _Way(channel, methods, take)
        channel.closing.add_done_callback(lambda _: self._end(channel.number, way))

    def _end(self, number: int, way: _Way) -> None:
        if self._ways.get(number) is way:
            del self._ways[number]

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be sent already that it is better to ``make_room`` first."""
        return self._writer is not None and self._writer.transport.get_write_buffer_size() > FULL

    async def make_room(self) -> None:
        """Wait until the broker has read enough that more can be sent, or the connection is lost."""
        assert self._writer is not None
        await self._writer.drain()

    def write(self, frames: bytes) -> None:
        """Send with all else of this turn of the loop."""
        self._burst.add(frames)

    def _send(self, burst: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(burst)

    def cut(self) -> None:
        """Break off without waiting for the peer."""
        if self._writer is not None:
            self._writer.transport.abort()


class _Way:
    """The short way of one channel: a method, and then the header and the body of its message, if it has one."""

    def __init__(self, channel: Any, methods: tuple[bytes, ...], take: Take) -> None:
        self._channel, self._methods, self._take = channel, methods, take
        self._method: Any = None
        self._header: ContentHeader | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    def takes(self, kind: int, payload: bytes, frame: bytes) -> bool:
        """Whether this frame goes this way."""
        if kind == _METHOD:
            return payload.startswith(self._methods) and self._begin(frame)
        if self._method is None:
            return False
        if kind == _HEADER:
            self._header, self._missing = _header_in(frame), int.from_bytes(payload[4:12], "big")
        elif kind == _BODY:
            self._parts.append(payload)
            self._missing -= len(payload)
        if self._missing <= 0:
            self._end()
        return True

    def _begin(self, frame: bytes) -> bool:
        method: Any = pamqp.frame.unmarshal(frame)[2]
        if isinstance(method, spec.Basic.Deliver | spec.Basic.Return):
            self._method = method
        else:
            self._give(method, None)
        return True

    def _end(self) -> None:
        method, header, body = self._method, self._header, b"".join(self._parts)
        self._method, self._header, self._parts = None, None, []
        if header is not None:
            self._give(method, DeliveredMessage(delivery=method, header=header, body=body, channel=self._channel))

    def _give(self, method: Any, message: DeliveredMessage | None) -> None:
        try:
            self._take(method, message)
        except Exception as error:  # noqa: BLE001  # a message can never kill the reader
            log.error("transport.message_failed", exc_info=error)


def _header_in(frame: bytes) -> ContentHeader | None:
    """What is said about a message; None where that cannot be read, and the message is passed over."""
    try:
        header: Any = pamqp.frame.unmarshal(frame)[2]
    except Exception as error:  # noqa: BLE001  # the library raises what it comes upon; a peer has written it
        log.warning("transport.header_refused", reason=repr(error))
        return None
    return header  # type: ignore[no-any-return]  # that of a header frame


class _Reader(asyncio.StreamReader):
    """Gives messages away as they come; only the rest can be read. Counts what arrives: a sign of life, also in the
    middle of a large message."""

    def __init__(self, wire: Wire, ways: dict[int, _Way]) -> None:
        self._own_loop = asyncio.get_running_loop()
        super().__init__(loop=self._own_loop)
        self._wire, self._ways = wire, ways
        self._begun: list[bytes] = []
        self._missing = 0
        """Bytes until what has begun is a whole frame: a large one is put together once."""
        self._told = 0.0

    def feed_data(self, data: Any) -> None:
        """Called by the loop with what has arrived."""
        self._wire.received += len(data)
        if self._begun:
            self._begun.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._begun)
            self._begun.clear()
        at, taken, length, self._missing = 0, False, len(data), 0
        while length - at >= _HEAD.size:
            kind, channel, size = _HEAD.unpack_from(data, at)
            end = at + _BESIDE + size
            if kind not in _KINDS:
                super().feed_data(data[at:])  # the library says what is wrong with it
                return
            if end > length:
                self._missing = end - length
                break
            way = self._ways.get(channel)
            if way is not None and way.takes(kind, data[at + _HEAD.size : end - 1], data[at:end]):
                taken = True
            else:
                super().feed_data(data[at:end])
            at = end
        if rest := data[at:]:
            self._begun.append(rest)
            self._missing = self._missing or _HEAD.size - len(rest)
        if taken:
            self._tell_the_library()

    def _tell_the_library(self) -> None:
        if self._own_loop.time() - self._told > ALIVE_SECONDS:
            self._told = self._own_loop.time()
            super().feed_data(_ALIVE)
