from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest
from nats.aio.msg import Msg

from midflight.config import public_url
from midflight.transports.nats_connection import Connection, NotTaken

INFO = b'INFO {"server_id":"fake","version":"2.15.0","headers":true,"max_payload":1048576}\r\n'


class LateBroker:
    """Speaks as much of the protocol as is needed to be slow, and to send one more message at the worst time: when it
    is being told that nobody wants any."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def start(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        """Leave, when everybody else has left."""
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        while line := (await reader.readline()).strip():
            match line.split():
                case [b"PING"]:
                    writer.write(b"PONG\r\n")
                case [b"PUB", _, size]:
                    await asyncio.sleep(0.1)
                    await reader.readexactly(int(size) + 2)
                case [b"UNSUB", sid]:
                    await asyncio.sleep(0.1)
                    writer.write(b"MSG work %s 4\r\nlate\r\n" % sid)
            self.heard.append(line)
        writer.close()


@pytest.fixture
async def late_broker() -> AsyncIterator[LateBroker]:
    broker = await LateBroker().start()
    yield broker
    await broker.stop()


async def test_what_was_sent_before_the_broker_knew_is_taken(late_broker: LateBroker) -> None:
    """A message that crosses the word that nobody wants more is given to its callback before withdrawing returns."""
    connection, taken = Connection(late_broker.url, "agent"), list[bytes]()

    async def take(message: Msg) -> None:
        taken.append(message.data)

    await connection.open()
    await connection.withdraw(await connection.subscribe("work", take))
    assert b"late" in taken
    await connection.close()


async def test_flush_covers_what_was_sent(late_broker: LateBroker) -> None:
    """When a flush returns, the broker has heard all that was sent before, also where it could not be sent at once."""
    connection, loop = Connection(late_broker.url, "agent"), asyncio.get_running_loop()
    await connection.open()
    for number in range(18):  # so many that the last ones wait in the library's buffer when the flush begins
        await connection.publish(f"subject-{number}", b"x" * 600_000, deadline=loop.time() + 5)
        await asyncio.sleep(0)
    assert await connection.flush()
    assert [line.split()[1] for line in late_broker.heard if line.startswith(b"PUB")] == [
        b"subject-%d" % number for number in range(18)
    ]
    await connection.close()


async def test_nothing_is_sent_without_a_connection(late_broker: LateBroker) -> None:
    """What cannot be sent until its deadline was certainly not taken, and after a close that is known at once."""
    connection = Connection(late_broker.url, "agent")
    with pytest.raises(NotTaken, match=f"no connection to {late_broker.url}"):
        await connection.request("work", b"body", timeout=0.05)
    assert not await connection.flush()
    await connection.close()
    assert late_broker.heard == []
    await connection.open()
    await connection.close()
    with pytest.raises(NotTaken, match="was closed"):
        await connection.request("work", b"body", timeout=3600)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
        ("nats://user:secret@host:4222", "nats://host:4222"),
        ("tls://token@a:1,tls://user:secret@b:2", "tls://a:1,tls://b:2"),
    ],
)
def test_public_url(url: str, public: str) -> None:
    """A URL without who we are, and how we prove it."""
    assert public_url(url) == public
