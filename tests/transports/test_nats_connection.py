from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import pytest
from nats.aio.client import Server, Srv
from nats.aio.msg import Msg

from midflight.config import ANONYMOUS, public_url
from midflight.errors import BrokerUnreachable
from midflight.transports import nats_client, nats_connection
from midflight.transports.embedded import EmbeddedBroker
from midflight.transports.nats_access import Access
from midflight.transports.nats_client import BrokerClient
from midflight.transports.nats_connection import Connection, NotTaken
from tests.transports.recorder import eventually
from tests.transports.relay import Relay

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

    def take(message: Msg) -> None:
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
        await connection.publish(f"subject-{number}", b"x" * 600_000, deadline=loop.time() + 60)
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


async def test_a_server_that_hangs_up() -> None:
    """A server that greets and then closes the connection, as one that is full may do, is no broker; nothing goes on in
    the background."""
    connections = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(INFO)
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises(BrokerUnreachable, match="it has closed the connection"):
            await Connection(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", "agent").open()
        await asyncio.sleep(0.3)
    assert connections == 1


async def test_servers_that_we_hear_of_know_us_too() -> None:
    """A server that was not in the URL, but was told by the first one, hears the same user and password."""
    heard: list[dict[str, object]] = []
    stop = asyncio.Event()

    async def serve(told: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO[:-3] + b',"auth_required":true,"connect_urls":[%s]}\r\n' % told.encode())
        heard.append(json.loads((await reader.readline()).removeprefix(b"CONNECT ")))
        while not reader.at_eof() and not (told and stop.is_set()):
            if b"PING" in await reader.readline():
                writer.write(b"PONG\r\n")
        writer.close()

    second = await asyncio.start_server(partial(serve, ""), "127.0.0.1", 0)
    port = second.sockets[0].getsockname()[1]
    first = await asyncio.start_server(partial(serve, f'"127.0.0.1:{port}"'), "127.0.0.1", 0)
    connection = Connection(f"nats://me:se%20cret@127.0.0.1:{first.sockets[0].getsockname()[1]}", "agent")
    await connection.open()
    first.close()
    stop.set()
    await eventually(lambda: len(heard) == 2)
    assert {(said["user"], said["pass"]) for said in heard} == {("me", "se cret")}
    await connection.close()
    second.close()


def test_where_to_go_next() -> None:
    """A client that has lost its server tries the others first, each as often as the rest, and without a pause only at
    first."""
    client = BrokerClient(Access.to("nats://a:1,nats://b:1,nats://c:1", "agent", ANONYMOUS))
    client._left = "b:1"
    servers = [Server(urlsplit(f"nats://{name}:1")) for name in "abc"]  # type: ignore[arg-type]
    tried = []
    for _ in range(8):
        chosen, pause = client._next_server(servers, {})
        tried.append((chosen.uri.hostname, pause > 0))
        chosen.reconnects += 1
    names = [name for name, _ in tried]
    assert sorted(names[:2]) == ["a", "c"]
    assert [paused for _, paused in tried[:2]] == [False, False]
    assert (names.count("a"), names.count("b"), names.count("c")) == (3, 2, 3)
    assert all(paused for name, paused in tried[2:] if name != "b")


def test_an_earlier_outage_is_forgotten() -> None:
    """The server that has just frozen is tried last, also where the others had been away for long before."""
    client = BrokerClient(Access.to("nats://a:1,nats://b:1", "agent", ANONYMOUS))
    client._server_pool = [Srv(urlsplit(f"nats://{name}:1"), reconnects=9 * (name == "a")) for name in "ab"]
    client._current_server = client._server_pool[1]
    client._lost()
    servers = [Server(each.uri, each.reconnects) for each in client._server_pool]
    assert client._next_server(servers, {})[0].uri.hostname == "a"


async def test_a_peer_that_stops_reading(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection through which we still hear others, while nobody reads what we say, is broken off, and the next one
    works."""
    monkeypatch.setattr(nats_connection, "WATCH_SECONDS", 0.05)
    relay = await Relay(int(broker.url.rpartition(":")[2])).start()
    member, other, heard = (
        Connection(f"nats://{relay.netloc}", "member"),
        Connection(broker.url, "other"),
        list[bytes](),
    )

    def take(message: Msg) -> None:
        heard.append(message.data)

    await member.open()
    await member.subscribe("mute-news", take)
    await other.open()
    assert await member.flush()
    monkeypatch.setattr(nats_client, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(nats_client, "PING_SECONDS", 0.6)
    relay.stop_reading()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        while not member._client.stats["reconnects"]:
            await other.publish("mute-news", b"news", deadline=loop.time() + 60)
            await asyncio.sleep(0.01)
    for patience in ("ANSWER_SECONDS", "PING_SECONDS"):  # a busy machine must not cost it the new connection
        monkeypatch.setattr(nats_client, patience, 60)
    async with asyncio.timeout(60):
        while not await member.flush():
            await asyncio.sleep(0.01)
    so_far = len(heard)
    await other.publish("mute-news", b"last", deadline=loop.time() + 60)
    await eventually(lambda: heard[-1] == b"last")
    assert so_far > 0
    await member.close()
    await other.close()
    await relay.stop()


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
        ("nats://user:secret@host:4222", "nats://host:4222"),
        ("tls://token@a:1,tls://user:secret@b:2", "tls://a:1,tls://b:2"),
        ("nats://user:sec@ret@a:1,user:secret@b:2,c:3", "nats://a:1,b:2,c:3"),
    ],
)
def test_public_url(url: str, public: str) -> None:
    """A URL without who we are, and how we prove it."""
    assert public_url(url) == public


async def test_a_ping_that_nobody_waits_for_any_more(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """Its answer comes all the same, and the library's reader does not stumble over it: the next ping is answered, and
    nothing is logged, also where we leave by then."""
    client = BrokerClient(Access.to(broker.url, "agent", ANONYMOUS))
    await client.dial(*[_nothing] * 3)
    for leave in (client.ping, client.leave):
        asking = asyncio.create_task(client.ping())
        while not client._pongs:
            await asyncio.sleep(0)
        asking.cancel()
        await leave()
    assert client.stats["reconnects"] == 0
    assert caplog.records == []


async def _nothing() -> None:
    """What is done about an event."""
