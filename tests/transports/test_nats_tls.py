"""What is true of one NATS server behind TLS that knows its members by certificate and nkey."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from midflight.config import ANONYMOUS, Credentials
from midflight.errors import BrokerUnreachable
from midflight.transports import connect, nats_connection
from midflight.transports.base import Address, Transport
from midflight.transports.embedded import EmbeddedBroker
from tests.transports.certificates import Authority, secured
from tests.transports.recorder import MEMBER, Recorder, eventually
from tests.transports.servers import NatsServer

HOST1 = Address("compute", "host1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the server and its members."""
    return Authority(tmp_path / "authority")


@pytest.fixture
async def server(authority: Authority, tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server of this test alone. Its credentials are those of a member that it knows."""
    nkey = authority.nkey("member")
    member = structs.replace(authority.issue("member"), nkey=nkey)
    server = NatsServer(tmp_path / "server", secured(authority.issue("server"), nkey), "tls", member)
    yield await server.start()
    server.close()


async def opened(url: str, credentials: Credentials) -> Transport:
    return await connect(url, name="member", project="test", credentials=credentials, identity=MEMBER).open()


async def refused(url: str, credentials: Credentials) -> str:
    """Why a member cannot connect, in the words of the error."""
    with pytest.raises(BrokerUnreachable) as raised:
        await opened(url, credentials)
    assert raised.value.exit_code == 75
    return raised.value.reason


async def test_whom_the_server_does_not_know(server: NatsServer, authority: Authority, tmp_path: Path) -> None:
    """Without a certificate, with a foreign or an expired one, without an nkey, or with one that the server does not
    know: a member is refused, with a reason that names what to mend."""
    good, other = server.credentials, Authority(tmp_path / "other").issue("member")
    expired = authority.issue("expired", expired=True)
    for credentials in (
        structs.replace(good, certificate=None, key=None),
        structs.replace(good, certificate=other.certificate, key=other.key),
        structs.replace(good, certificate=expired.certificate, key=expired.key),
    ):
        reason = await refused(server.url, credentials)
        assert re.fullmatch(r"it .*refuses? (our certificate|who we are).* \(\[credentials\].*\)", reason)
    for nkey in (None, authority.nkey("stranger")):
        reason = await refused(server.url, structs.replace(good, nkey=nkey))
        assert re.fullmatch(r"it .*refuses? who we are \(\[credentials\].*\)", reason)
    await (await opened(server.url, good)).close()


async def test_servers_that_we_do_not_trust(server: NatsServer, authority: Authority, tmp_path: Path) -> None:
    """A server that somebody else vouches for, one whose certificate is of another name, and one whose certificate has
    expired are refused by us."""
    other = Authority(tmp_path / "other")
    for ca in (None, other.ca):
        reason = await refused(server.url, structs.replace(server.credentials, ca=ca))
        assert reason.startswith("its certificate is not trusted, ")
        assert reason.endswith("([credentials] ca)")
    reason = await refused(server.url.replace("127.0.0.1", "localhost"), server.credentials)
    assert "certificate is not valid for 'localhost'" in reason
    stale = NatsServer(tmp_path / "stale", secured(authority.issue("stale", expired=True)), "tls")
    await stale.start()
    assert "certificate has expired" in await refused(stale.url, server.credentials)
    stale.close()


async def test_nobody_speaks_unencrypted_where_the_configuration_demands_tls(
    broker: EmbeddedBroker, server: NatsServer
) -> None:
    """A URL of tls://, a CA and a certificate each demand TLS: a server that offers none is told nothing."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"fake","version":"2.15.0","headers":true,"max_payload":1048576}\r\n')
        heard.append(await reader.read())
        writer.close()

    fake = await asyncio.start_server(listen, "127.0.0.1", 0)
    address = f"user:secret@127.0.0.1:{fake.sockets[0].getsockname()[1]}"
    good = server.credentials
    async with fake:
        for url, credentials in (
            (f"tls://{address}", ANONYMOUS),
            (f"nats://{address}", Credentials(ca=good.ca)),
            (f"nats://{address}", Credentials(certificate=good.certificate, key=good.key)),
        ):
            assert await refused(url, credentials) == "it offers no TLS, which the configuration demands"
        await eventually(lambda: len(heard) == 3)
    assert heard == [b"", b"", b""]
    assert "offers no TLS" in await refused(broker.url.replace("nats:", "tls:"), ANONYMOUS)


async def test_a_url_of_nats_is_encrypted_where_credentials_ask_for_it(server: NatsServer) -> None:
    """The scheme need not say what the credentials say."""
    member = await opened(server.url.replace("tls:", "nats:"), server.credentials)
    await Recorder().listen(member, "compute", "host1")
    assert await member.call(HOST1, b"hello", timeout=5) == b"one:hello"
    await member.close()


async def test_renewed_certificate(server: NatsServer, authority: Authority, tmp_path: Path) -> None:
    """A certificate that was renewed in its file is shown when the connection is made again, and a file that cannot be
    read at that moment does no harm."""
    member = await opened(server.url, server.credentials)
    await Recorder().listen(member, "compute", "host1")
    renewed, mine = Authority(tmp_path / "renewed"), Path(authority.issue("member").certificate or "")
    server.kill()
    mine.write_text("half written")
    await asyncio.sleep(0.3)
    as_server = authority.issue("server")
    trusted = structs.replace(as_server, ca=renewed.ca)
    server.more = secured(trusted, server.credentials.nkey or "")
    new = renewed.issue("member")
    mine.write_text(Path(new.certificate or "").read_text())
    mine.with_suffix(".key").write_text(Path(new.key or "").read_text())
    await server.start()
    assert await member.call(HOST1, b"hello", timeout=60) == b"one:hello"
    await member.close()


async def test_close_does_not_wait_for_a_frozen_server(server: NatsServer) -> None:
    """A member leaves a frozen server within seconds, although TLS would say goodbye for half a minute."""
    member = await opened(server.url, server.credentials)
    server.freeze()
    async with asyncio.timeout(25):
        await member.close()
    server.thaw()


async def test_two_hundred_reconnects_at_once(server: NatsServer) -> None:
    """Two hundred connections that lose their server at the same moment all come back, with what they listen to."""
    connections = [
        nats_connection.Connection(server.url, f"member-{number}", server.credentials) for number in range(200)
    ]
    heard = list[str]()
    for connection in connections:
        await connection.open()
        await connection.subscribe("news", lambda message: heard.append(message.data.decode()))
    server.kill()
    await eventually(lambda: not any(connection._client.is_connected for connection in connections))
    await server.start()
    async with asyncio.timeout(60):
        while not all(await asyncio.gather(*(connection.flush() for connection in connections))):
            await asyncio.sleep(0.05)
    deadline = asyncio.get_running_loop().time() + 10
    await connections[0].publish("news", b"all back", deadline=deadline)
    await eventually(lambda: heard == ["all back"] * 200)
    await asyncio.gather(*(connection.close() for connection in connections))
