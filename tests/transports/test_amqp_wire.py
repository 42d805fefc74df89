"""Claims about the short way of messages through a connection to a RabbitMQ broker."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from typing import Any

import pamqp.frame
import pytest
from aiormq import spec
from aiormq.abc import DeliveredMessage
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from midflight.transports import amqp_wire
from midflight.transports.amqp_wire import DELIVER, RETURN, Wire, _Reader


class OneChannel:
    """As much of a channel as the wire needs."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closing = asyncio.get_running_loop().create_future()


def delivered(channel: int, body: bytes, *, parts: int = 1, **properties: Any) -> bytes:
    """The frames of one message."""
    deliver = spec.Basic.Deliver("tag", 1, False, "mf.cloud", "mf.cloud.call.compute")
    header = ContentHeader(properties=spec.Basic.Properties(**properties), body_size=len(body))
    size = max(1, -(-len(body) // parts))
    frames = [deliver, header, *(ContentBody(body[at : at + size]) for at in range(0, len(body), size))]
    return b"".join(pamqp.frame.marshal(frame, channel) for frame in frames)


OK = pamqp.frame.marshal(spec.Basic.QosOk(), 1)
BEAT = pamqp.frame.marshal(Heartbeat(), 0)
STREAM = (
    delivered(1, b"hello", correlation_id="7")
    + OK
    + delivered(2, b"not ours")
    + delivered(1, b"")
    + BEAT
    + delivered(1, b"in three parts", parts=3, reply_to="own", headers={"a": "b"})
)
REST = OK + delivered(2, b"not ours") + BEAT


async def parted(chunks: Iterable[bytes]) -> tuple[list[DeliveredMessage], bytes]:
    """What becomes of a stream that arrives like this: the messages of the first channel, and the rest."""
    wire, messages = Wire(), list[DeliveredMessage]()

    def take(_: Any, message: DeliveredMessage | None) -> None:
        assert message is not None
        messages.append(message)

    wire.shorten(OneChannel(1), (DELIVER,), take)
    reader = _Reader(wire, wire._ways)
    reader._told = float("inf")
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return messages, await reader.read()


async def test_a_stream_may_be_cut_anywhere() -> None:
    """However a stream is cut, the messages of a channel are given away in their order, with what is said about them,
    and all other frames can be read in their order."""
    for chunks in (
        [STREAM],
        [STREAM[at : at + 1] for at in range(len(STREAM))],
        *([STREAM[:at], STREAM[at:]] for at in range(len(STREAM))),
    ):
        messages, rest = await parted(chunks)
        assert [message.body for message in messages] == [b"hello", b"", b"in three parts"]
        properties = [message.header.properties for message in messages]
        assert [each.correlation_id for each in properties] == ["7", None, None]
        assert (properties[2].reply_to, properties[2].headers) == ("own", {"a": "b"})
        assert messages[0].routing_key == "mf.cloud.call.compute"
        assert rest == REST


async def test_a_large_message_is_put_together_once() -> None:
    """A message that comes in thousands of pieces is given away whole, in a time that grows with its size only."""
    body = random.Random(1).randbytes(16 << 20)
    stream = delivered(1, body, parts=128)
    began = time.process_time()
    messages, rest = await parted(stream[at : at + 2048] for at in range(0, len(stream), 2048))
    assert time.process_time() - began < 5  # to join at each piece would copy 64 GiB
    assert ([message.body for message in messages], rest) == ([body], b"")


async def test_what_is_no_frame_goes_the_librarys_way() -> None:
    """A peer that speaks something else is left to the library, which says so."""
    answer = b"AMQP\x00\x00\x09\x01"
    assert await parted([answer]) == ([], answer)


async def test_a_header_that_cannot_be_read_costs_its_message_alone() -> None:
    """A message whose properties are none is passed over, and the next one is taken."""
    broken = delivered(1, b"broken", headers={"a": "b"}).replace(b"\x01aS", b"\x01a?")  # a kind that there is not
    messages, rest = await parted([broken + delivered(1, b"whole")])
    assert ([message.body for message in messages], rest) == ([b"whole"], b"")


async def test_a_callback_that_fails_costs_its_message_alone() -> None:
    """What a callback raises goes to the log, and not into the reader."""
    wire, seen = Wire(), list[bytes]()

    def take(_: Any, message: DeliveredMessage | None) -> None:
        assert message is not None
        seen.append(message.body)
        raise ZeroDivisionError

    wire.shorten(OneChannel(1), (DELIVER,), take)
    _Reader(wire, wire._ways).feed_data(delivered(1, b"one") + delivered(1, b"two"))
    assert seen == [b"one", b"two"]


async def test_a_channel_that_was_closed_has_no_short_way() -> None:
    """When a channel is closed, its number is another one's, and what comes by it goes the library's way."""
    wire, channel = Wire(), OneChannel(1)
    wire.shorten(channel, (DELIVER, RETURN), lambda *_: pytest.fail("it was closed"))
    channel.closing.set_result(None)
    await asyncio.sleep(0)
    reader = _Reader(wire, wire._ways)
    reader.feed_data(delivered(1, b"hello"))
    reader.feed_eof()
    assert await reader.read() == delivered(1, b"hello")


async def test_the_library_is_told_that_the_peer_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it sees nothing of the messages, the library hears now and then that something has come."""
    monkeypatch.setattr(amqp_wire, "ALIVE_SECONDS", 0.0)
    wire = Wire()
    wire.shorten(OneChannel(1), (DELIVER,), lambda *_: None)
    reader = _Reader(wire, wire._ways)
    reader.feed_data(delivered(1, b"hello"))
    reader.feed_eof()
    assert await reader.read() == BEAT
