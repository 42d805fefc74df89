"""Claims about the short way of messages through a connection to a NATS broker."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from urllib.parse import urlparse

import pytest

from midflight.transports.nats_message import NO_RESPONDERS, message_of, status_of
from midflight.transports.nats_wire import LONGEST_LINE, Wire
from tests.transports.recorder import eventually

Taken = tuple[bytes, bytes, bytes, bytes, bytes]

STREAM = (
    b'INFO {"server_id":"one"}\r\n'
    b"MSG mf.compute 1 5\r\nhello\r\n"
    b"PING\r\n"
    b"MSG mf.compute 12 _INBOX.a.1 0\r\n\r\n"
    b"HMSG _INBOX.a.1 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
    b"HMSG mf.compute 1 _INBOX.a.2 18 22\r\nNATS/1.0\r\nA: b\r\n\r\n\r\nPI\r\n"
    b"PONG\r\n"
    b"MSG mf.compute 1 15\r\nMSG a 1 2\r\nhi\r\n\r\n"
    b"-ERR 'Permissions Violation'\r\n"
)
MESSAGES: list[Taken] = [
    (b"1", b"mf.compute", b"", b"", b"hello"),
    (b"12", b"mf.compute", b"_INBOX.a.1", b"", b""),
    (b"2", b"_INBOX.a.1", b"", b"NATS/1.0 503\r\n\r\n", b""),
    (b"1", b"mf.compute", b"_INBOX.a.2", b"NATS/1.0\r\nA: b\r\n\r\n", b"\r\nPI"),
    (b"1", b"mf.compute", b"", b"", b"MSG a 1 2\r\nhi\r\n"),
]
LINES = b'INFO {"server_id":"one"}\r\nPING\r\nPONG\r\n-ERR \'Permissions Violation\'\r\n'


async def parted(chunks: Iterable[bytes]) -> tuple[list[Taken], bytes]:
    """What becomes of a stream that arrives like this: its messages, and the rest."""
    taken = list[Taken]()
    reader, _ = Wire(lambda *message: taken.append(message))._ends()
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return taken, await reader.read()


async def test_a_stream_may_be_cut_anywhere() -> None:
    """However a stream is cut, its messages are given away in their order, and the rest can be read in its order."""
    assert await parted([STREAM]) == (MESSAGES, LINES)
    assert await parted(STREAM[at : at + 1] for at in range(len(STREAM))) == (MESSAGES, LINES)
    for at in range(len(STREAM)):
        assert await parted([STREAM[:at], STREAM[at:]]) == (MESSAGES, LINES)


async def test_a_large_message_is_put_together_once() -> None:
    """A message that comes in thousands of pieces is given away whole, in a time that grows with its size only."""
    body = random.Random(1).randbytes(16 << 20)
    stream = b"MSG mf.compute 1 %d\r\n%b\r\nPING\r\n" % (len(body), body)
    began = time.process_time()
    taken, rest = await parted(stream[at : at + 2048] for at in range(0, len(stream), 2048))
    assert time.process_time() - began < 5  # to join at each piece would copy 64 GiB
    assert taken == [(b"1", b"mf.compute", b"", b"", body)]
    assert rest == b"PING\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"MSG",
        b"MSG mf.compute 1",
        b"MSG mf.compute 1 five",
        b"MSG mf.compute 1 -5",
        b"HMSG mf.compute 1 12",
        b"HMSG mf.compute 1 20 12",
        b"HMSG mf.compute 1 -1 12",
        b"NONSENSE",
    ],
)
async def test_what_is_no_message_goes_the_librarys_way(line: bytes) -> None:
    """A malformed line is left to the library, which closes the connection for it."""
    taken, rest = await parted([line + b"\r\nPING\r\n"])
    assert taken == []
    assert rest == line + b"\r\nPING\r\n"


async def test_a_line_without_an_end() -> None:
    """A peer that speaks on without an end of a line is not kept for ever: the library gets it."""
    taken, rest = await parted([b"x" * (LONGEST_LINE // 2)] * 4)
    assert taken == []
    assert rest.startswith(b"x" * LONGEST_LINE)


def test_headers() -> None:
    """Headers are read as the library reads them: the broker's status, names and values without spaces round them."""
    refusal = message_of(b"_INBOX.a.1", b"", b"NATS/1.0 503 No Responders\r\n\r\n", b"")
    assert status_of(refusal) == NO_RESPONDERS
    said = message_of(b"a", b"b", b"NATS/1.0\r\nName: a value \r\nOther:\xff:1\r\nnothing\r\n\r\n", b"body")
    assert (said.subject, said.reply, said.data) == ("a", "b", b"body")
    assert said.headers == {"Name": "a value", "Other": "\ufffd:1"}
    assert message_of(b"a", b"", b"", b"").headers is None


async def test_what_is_written_in_one_turn_goes_out_together() -> None:
    """All that is written in one turn of the loop is one piece on the socket, in its order; closing sends the rest."""
    pieces = list[bytes]()
    connected, closed = asyncio.Event(), asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        while piece := await reader.read(1000):
            pieces.append(piece)
        writer.close()
        closed.set()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    wire = Wire(lambda *_: None)
    await wire.connect(urlparse(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"), 0, 5)
    await connected.wait()
    wire.write(b"one ")
    wire.writelines([b"two ", b"three"])
    await eventually(lambda: pieces == [b"one two three"])
    wire.write(b"last")
    wire.close()
    await closed.wait()
    assert pieces[0] == b"one two three"
    assert b"".join(pieces[1:]) == b"last"
    server.close()
