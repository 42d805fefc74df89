"""The socket under a client of the NATS library, and a short way for messages through it.

The library takes each message through a task that reads, a queue and a task for its subscription, and each publication
through a queue and a task that flushes: four turns of the loop more than a call needs, which was half of its time. Here
a message is cut out of the stream as it arrives and given to its callback at once, and what is written in one turn of
the loop goes out together at its end. All else that the broker says goes the library's way.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

from midflight.transports.bursts import Burst

FULL = 1 << 20
"""So many bytes may wait for a broker that does not read; who wants to send more waits as well."""

LONGEST_LINE = 1 << 16
"""Bytes of a line without a body. A peer that says more without an end speaks something else."""

_END = b"\r\n"

Take = Callable[[bytes, bytes, bytes, bytes, bytes], None]
"""Takes a message: the number of its subscription, its subject, where it is answered to, its headers, its body. Raises
nothing."""


class Wire(TcpTransport):
    """One connection. A new one is made for each attempt to connect, so that nothing of a lost one lives on."""

    def __init__(self, take: Take) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._burst = Burst(self._send)

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connect to a server. Called by the library."""
        reader, protocol = self._ends()
        async with asyncio.timeout(connect_timeout):
            transport, _ = await self._loop.create_connection(lambda: protocol, uri.hostname or "", uri.port or 0)
        self._bare_io_reader = self._io_reader = reader
        self._bare_io_writer = self._io_writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Speak TLS from now on. Called by the library."""
        assert self._io_writer is not None
        name = uri if isinstance(uri, str) else uri.hostname
        reader, protocol = self._ends()
        async with asyncio.timeout(connect_timeout):
            transport: Any = await self._loop.start_tls(
                self._io_writer.transport, protocol, ssl_context, server_hostname=name
            )
        self._io_reader = reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)

    def _ends(self) -> tuple[asyncio.StreamReader, asyncio.StreamReaderProtocol]:
        reader = _Reader(self._take)
        return reader, asyncio.StreamReaderProtocol(reader, loop=self._loop)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be sent already that it is better to ``drain`` first."""
        writer = self._io_writer
        return writer is not None and writer.transport.get_write_buffer_size() > FULL

    def write(self, payload: bytes, *, at_once: bool = False) -> None:
        """Send with all else of this turn of the loop, or at once."""
        self._burst.add(payload, at_once=at_once)

    def writelines(self, payload: list[bytes]) -> None:
        """Send all of these, as ``write`` does."""
        for part in payload:
            self._burst.add(part)

    async def drain(self) -> None:
        """Wait until the broker has room for more."""
        self._burst.end()
        await super().drain()  # type: ignore[no-untyped-call]  # the library's

    def close(self) -> None:
        """Send what is left, and close."""
        self._burst.end()
        super().close()  # type: ignore[no-untyped-call]  # the library's

    def _send(self, burst: bytes) -> None:
        if self._io_writer is not None:
            self._io_writer.write(burst)


class _Reader(asyncio.StreamReader):
    """Gives messages away as they come; only what is no message can be read."""

    def __init__(self, take: Take) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._take = take
        self._begun: list[bytes] = []
        self._missing = 0
        """Bytes, at least, until what has begun can be a whole message: a large one is put together once."""

    def feed_data(self, data: Any) -> None:
        """Called by the loop with what has arrived."""
        if self._begun:
            self._begun.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._begun)
            self._begun.clear()
        at, self._missing = 0, 0
        while (end := data.find(_END, at)) >= 0:
            if data.startswith((b"MSG ", b"HMSG "), at):
                behind = self._message(data, at, end)
            else:
                behind = end + 2
                super().feed_data(data[at:behind])
            if behind > len(data):
                self._missing = behind - len(data)
                break
            at = behind
        rest = data[at:]
        if rest and not self._missing and len(rest) > LONGEST_LINE:
            super().feed_data(rest)  # the library knows what to do with what is not NATS
        elif rest:
            self._begun.append(rest)

    def _message(self, data: bytes, at: int, end: int) -> int:
        """Where the message that begins with this line ends; it was given away if all of it is there."""
        words = data[at:end].split()
        with_headers = words[0] == b"HMSG"
        try:
            reply = words[3] if len(words) == 5 + with_headers else b""
            body, behind = end + 2, end + 4 + int(words[-1])
            headers = body + int(words[-2]) if with_headers else body
            if len(words) not in (4 + with_headers, 5 + with_headers) or not body <= headers <= behind - 2:
                raise ValueError
        except ValueError:
            super().feed_data(data[at : end + 2])  # the library says what is wrong with it
            return end + 2
        if behind <= len(data):
            self._take(words[2], words[1], reply, data[body:headers], data[headers : behind - 2])
        return behind
