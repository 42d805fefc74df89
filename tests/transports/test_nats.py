"""What is true of NATS alone: brokers that are missing, killed, frozen or emptied."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from midflight.errors import BrokerUnreachable, InvalidValue
from midflight.transports import nats as nats_transport
from midflight.transports import nats_client, nats_connection, nats_consumer, nats_store
from midflight.transports.base import Address, Identity, NoAnswer, NobodyListens, ParkedMessage
from midflight.transports.embedded import EmbeddedBroker, find_binary
from midflight.transports.nats import NatsListener, NatsTransport
from midflight.transports.nats_client import BrokerClient
from midflight.transports.nats_connection import Connection
from midflight.transports.nats_consumer import Poll
from midflight.transports.nats_message import identity
from midflight.transports.nats_store import API
from tests.rpc.world import counted
from tests.transports.conftest import ACK_WAIT, Fleet, on_broker
from tests.transports.ports import Port
from tests.transports.recorder import MEMBER, Gated, Recorder, eventually
from tests.transports.relay import Relay

COMPUTE = Address("compute")
HOST1 = Address("compute", "host1")


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker of this test alone, to be treated badly."""
    with Port() as port:
        async with EmbeddedBroker(tmp_path / "broker", port.number) as broker:
            yield broker


@pytest.fixture
async def own_fleet(own_broker: EmbeddedBroker) -> AsyncIterator[Fleet[NatsTransport]]:
    """Members on that broker."""
    fleet = Fleet(on_broker(own_broker))
    yield fleet
    await fleet.close()


async def call(caller: NatsTransport, address: Address, body: bytes) -> bytes:
    """Call until somebody listens: after an outage the caller may be back before the others are."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await caller.call(address, body, timeout=5)
            except NobodyListens:
                await asyncio.sleep(0.02)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that take a broker for dead within half a second."""
    be_impatient(monkeypatch)


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on."""
    monkeypatch.setattr(nats_connection, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(nats_client, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(nats_client, "SECOND_CHANCE_SECONDS", 0.1)
    monkeypatch.setattr(nats_store, "CONNECT_SECONDS", 0.4)


def transport(url: str) -> NatsTransport:
    return NatsTransport(url, name="member", project="test", identity=MEMBER)


async def test_unreachable_broker_is_named() -> None:
    """Where nobody listens, the error says so at once, with the URL and the reason, and the way out."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(
            BrokerUnreachable, match=rf"^No broker answers at {url}: .*[Rr]efused.*\. Start it, or mend"
        ):
            await transport(url).open()


async def test_every_broker_of_a_cluster_is_tried(own_broker: EmbeddedBroker) -> None:
    """Of several brokers one is enough; where there is none, each one's reason is told."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"nats://127.0.0.1:{unused.getsockname()[1]}"
        for url in (f"{dead},{own_broker.url}", f"{own_broker.url},{dead}"):
            await (await transport(url).open()).close()
        with pytest.raises(BrokerUnreachable, match=r"refused.*; .*refused"):
            await transport(f"{dead},{dead}").open()


@pytest.mark.usefixtures("impatient")
async def test_silent_broker_is_unreachable() -> None:
    """A port that accepts connections and says nothing is no broker, and that is known within seconds."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(60):
        with pytest.raises(BrokerUnreachable, match=f"at nats://127.0.0.1:{port}: nobody spoke NATS there within"):
            await transport(f"nats://127.0.0.1:{port}").open()


async def test_other_server_is_unreachable() -> None:
    """A port where something else than NATS answers is told apart from a closed one."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        with pytest.raises(BrokerUnreachable, match="empty response from server when expecting INFO"):
            await transport(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}").open()


async def test_password_is_not_told() -> None:
    """An error about the broker names its address without the password."""
    with pytest.raises(BrokerUnreachable) as raised:
        await transport("nats://agent:secret@127.0.0.1:1").open()
    assert "nats://127.0.0.1:1:" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_unusable_url() -> None:
    """A URL that makes no sense is a broker that cannot be reached, not a traceback."""
    with pytest.raises(BrokerUnreachable, match="^No broker answers at nats://: "):
        await transport("nats://").open()


@pytest.mark.usefixtures("impatient")
async def test_a_start_without_a_broker_is_one_error() -> None:
    """There is no story of a connection that was lost, since there was none."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        with capture_logs() as logs, pytest.raises(BrokerUnreachable):
            await transport(f"nats://127.0.0.1:{unused.getsockname()[1]}").open()
    assert logs == []


async def test_a_body_that_fills_a_message_can_be_parked(own_fleet: Fleet[NatsTransport]) -> None:
    """A cast of somebody without our limits leaves no room for facts beside it: it is parked whole all the same."""
    member = await own_fleet.join()
    size = member._connection.max_payload
    await member.park(ParkedMessage(HOST1, b"x" * size, "cast-1", {"error": "MalformedMessage", "reason": "…" * 9_000}))
    [kept] = await member.parked()
    assert kept.body == b"x" * size
    assert kept.facts["error"] == "MalformedMessage"


async def test_broker_without_a_store(tmp_path: Path) -> None:
    """A broker that was started without JetStream is refused when a member connects, and the way out is told."""
    process = await asyncio.create_subprocess_exec(
        find_binary(),
        "--addr",
        "127.0.0.1",
        "--port",
        "-1",
        "--ports_file_dir",
        tmp_path,
        stderr=asyncio.subprocess.DEVNULL,
    )
    ports = tmp_path / f"nats-server_{process.pid}.ports"
    await eventually(lambda: ports.exists() and ports.read_text().endswith("}"))
    url = ports.read_text().split('"')[3]
    with pytest.raises(
        BrokerUnreachable, match="has no JetStream, where casts are kept: start nats-server with --jetstream"
    ):
        await transport(url).open()
    process.terminate()
    await process.wait()


def test_project_names_are_single_words() -> None:
    """A project whose name cannot be a word of a subject is refused."""
    with pytest.raises(InvalidValue, match=r"^project name: received 'my\.cloud'"):
        NatsTransport("nats://127.0.0.1", name="member", project="my.cloud", identity=MEMBER)


async def test_many_members_start_at_once(broker: EmbeddedBroker) -> None:
    """Thirty members of a new project may start at the same moment: the streams are made once, and all can use them."""
    fleet, agents = Fleet(on_broker(broker)), [Recorder() for _ in range(30)]

    async def start(number: int, agent: Recorder) -> None:
        member = await fleet.join()
        await agent.listen(member, "compute", f"host{number}")
        await member.cast(COMPUTE, b"%d" % number, f"cast-{number}")

    await asyncio.gather(*(start(number, agent) for number, agent in enumerate(agents)))
    await eventually(lambda: sum(len(agent.casts) for agent in agents) == 30)
    assert Counter(body for agent in agents for body in agent.bodies) == Counter(b"%d" % number for number in range(30))
    await fleet.close()


async def test_stream_of_another_version_is_used(broker: EmbeddedBroker) -> None:
    """A stream that exists with other settings, as another release would have made it, is taken as it is."""
    member = on_broker(broker)()
    await member._connection.open()
    subjects = member._subjects
    await member._store.ask(
        f"STREAM.CREATE.{subjects.casts}",
        name=subjects.casts,
        subjects=[subjects.of_streams()[subjects.casts]],
        retention="workqueue",
        description="made by somebody else",
    )
    await member._store.declare()
    agent = Recorder()
    await agent.listen(member, "compute", "host1")
    await member.cast(HOST1, b"hello", "cast-1")
    await eventually(lambda: agent.bodies == [b"hello"])
    await member.close()


async def test_subjects_of_somebody_else(broker: EmbeddedBroker) -> None:
    """Where the broker refuses our streams, since they overlap with foreign ones, its reason is told."""
    member, other = on_broker(broker)(), await on_broker(broker)().open()
    await other._store.ask("STREAM.CREATE.FOREIGN", name="FOREIGN", subjects=[f"mfc.{member._subjects.project}.>"])
    with pytest.raises(BrokerUnreachable, match="subjects overlap with an existing stream"):
        await member.open()
    await other._store.ask("STREAM.DELETE.FOREIGN")
    await other.close()


async def test_parked_by_another_version(broker: EmbeddedBroker) -> None:
    """A parked message in a form that we do not know is shown as it is, and said to be so."""
    member = await on_broker(broker)().open()
    await member._store.put(member._subjects.park(HOST1, "cast-1"), b"\xc1", identity("cast-1", ""), timeout=60)
    [message] = await member.parked()
    assert (message.address, message.body, message.message_id) == (HOST1, b"\xc1", "cast-1")
    assert message.facts["unreadable"].startswith("parked by another version of midflight")
    await member.close()


async def test_projects_do_not_meet(broker: EmbeddedBroker) -> None:
    """Two projects on one broker see nothing of each other."""
    here, there = on_broker(broker)(), on_broker(broker)()
    await here.open()
    await there.open()
    await Recorder().listen(here, "compute", "host1")
    with pytest.raises(NobodyListens):
        await there.call(HOST1, b"hello", timeout=5)
    await here.park(ParkedMessage(HOST1, b"body", "cast-1", {}))
    assert await there.parked() == []
    await here.close()
    await there.close()


async def test_killed_broker(own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport]) -> None:
    """A broker that is killed and started again on its port with its store has every cast that it had acknowledged, and
    the members that were connected go on by themselves, with calls, casts and fanouts."""
    agent, idle, caller = Gated(), Recorder(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    listener = await idle.listen(await own_fleet.join(), "idle", "host1")
    for number in range(20):
        await caller.cast(COMPUTE if number % 2 else Address("later"), b"%d" % number, f"cast-{number}")
    await caller.park(ParkedMessage(HOST1, b"parked", "cast-x", {}))
    await eventually(lambda: agent.running == 10)
    own_broker.kill()
    await own_broker.start()
    agent.gate.set()
    assert await call(caller, HOST1, b"after") == b"gated:after"
    later = Recorder()
    await later.listen(await own_fleet.join(), "later", "host1")
    await eventually(lambda: len(later.casts) == 10 and agent.finished == 11)
    assert sorted(agent.bodies + later.bodies) == sorted(b"%d" % number for number in range(20))
    assert [message.body for message in await caller.parked()] == [b"parked"]
    await caller.cast(Address("idle", "host1"), b"cast", "cast-20")
    await eventually(lambda: idle.bodies == [b"cast"])
    await caller.fanout("idle", b"all")
    await eventually(lambda: idle.fanouts == [b"all"])
    await listener.drain(timeout=5)
    with pytest.raises(NobodyListens):
        await caller.call(Address("idle", "host1"), b"hello", timeout=5)


async def test_cast_that_ran_while_the_broker_was_away(
    own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport]
) -> None:
    """A cast that ends while the broker is away is acknowledged when it is back, and does not run again."""
    agent, caller = Gated(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    await caller.cast(HOST1, b"cast", "cast-1")
    await eventually(lambda: agent.running == 1)
    own_broker.kill()
    agent.gate.set()
    await eventually(lambda: agent.finished == 1)
    await own_broker.start()
    await caller.cast(HOST1, b"next", "cast-2")
    await eventually(lambda: agent.finished == 2)
    await asyncio.sleep(ACK_WAIT + 0.5)
    assert agent.bodies == [b"cast", b"next"]


async def test_work_while_the_broker_restarts(own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport]) -> None:
    """Calls and casts that are sent while the broker is away wait for it, within their time."""
    agent, caller = Recorder(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    own_broker.kill()
    await eventually(lambda: not caller._connection._client.is_connected)
    calling = asyncio.create_task(call(caller, HOST1, b"call"))
    casts = [asyncio.create_task(caller.cast(HOST1, b"%d" % number, f"cast-{number}")) for number in range(5)]
    await asyncio.sleep(0.3)
    assert not calling.done()
    await own_broker.start()
    assert await calling == b"one:call"
    await asyncio.gather(*casts)
    await eventually(lambda: sorted(agent.bodies) == [b"0", b"1", b"2", b"3", b"4"])


async def test_broker_that_stays_away(
    own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker is away a call was certainly not executed, a cast is not confirmed, listening fails, a fanout is
    lost, and all of them end in time; a drain and a close end too."""
    agent, member = Recorder(), await own_fleet.join()
    listener = await agent.listen(member, "compute", "host1")
    monkeypatch.setattr(nats_transport, "CAST_SECONDS", 0.3)
    monkeypatch.setattr(nats_transport, "REPLY_SECONDS", 0.3)
    monkeypatch.setattr(nats_store, "API_SECONDS", 0.3)
    monkeypatch.setattr(nats_store, "STORE_SECONDS", 0.3)
    monkeypatch.setattr(nats_store, "CONNECT_SECONDS", 0.3)
    own_broker.kill()
    await eventually(lambda: not member._connection._client.is_connected)
    async with asyncio.timeout(60):
        with pytest.raises(NobodyListens):
            await member.call(HOST1, b"call", timeout=0.3)
        with pytest.raises(NoAnswer, match=r"^No answer from compute@host1 within 0\.3 s\.$"):
            await member.cast(HOST1, b"cast", "cast-1")
        with pytest.raises(BrokerUnreachable):
            await agent.listen(member, "other", "host1")
        with pytest.raises(BrokerUnreachable):
            await member.parked()
        await member.fanout("compute", b"all")
        await listener.drain(timeout=5)
        await member.close()
    assert (agent.calls, agent.casts, agent.fanouts) == ([], [], [])


async def test_a_store_that_has_much_to_do_is_waited_for(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts while many others do is told late what is parked, and does not fail for that."""
    relay = await Relay(int(broker.url.rpartition(":")[2])).start()
    url = f"nats://{relay.netloc}"
    member = await NatsTransport(url, name="member", project="late", identity=MEMBER).open()
    monkeypatch.setattr(nats_store, "API_SECONDS", 0.1)
    relay.delay = 0.2
    assert await member.parked(HOST1) == []
    await member.close()
    await relay.stop()


async def test_answer_that_cannot_be_sent(
    own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer for which there is no broker in time is given up and counted, and the listener goes on when there is
    one."""
    agent, member, caller = Gated(), await own_fleet.join(), await own_fleet.join()
    await agent.listen(member, "compute", "host1")
    monkeypatch.setattr(nats_transport, "REPLY_SECONDS", 0.1)
    before = counted("transport.answer_lost")
    calling = asyncio.create_task(caller.call(HOST1, b"call", timeout=60))
    await eventually(lambda: agent.running == 1)
    own_broker.kill()
    await eventually(lambda: not member._connection._client.is_connected)
    agent.gate.set()
    await eventually(lambda: counted("transport.answer_lost") == before + 1)
    await own_broker.start()
    assert await call(caller, HOST1, b"again") == b"gated:again"
    assert not calling.done()
    calling.cancel()


async def test_cast_that_the_broker_forgot(own_fleet: Fleet[NatsTransport]) -> None:
    """A cast that was done, and comes again since a killed broker has lost the acknowledgement, is not run again."""
    agent, member = Recorder(), await own_fleet.join()
    listener = await agent.listen(member, "compute", "host1")
    assert isinstance(listener, NatsListener)
    taken, start = list[tuple[int, Msg]](), listener._consumer._start

    def start_and_keep(sequence: int, poll: Poll, message: Msg) -> None:
        taken.append((sequence, message))
        start(sequence, poll, message)

    listener._consumer._start = start_and_keep  # type: ignore[method-assign]
    await member.cast(HOST1, b"once", "cast-1")
    await eventually(lambda: agent.bodies == [b"once"])
    listener._consumer._arrived(taken[0][1])
    await member.cast(HOST1, b"next", "cast-2")
    await eventually(lambda: len(agent.casts) == 2)
    assert agent.bodies == [b"once", b"next"]


async def test_broker_that_lost_its_store(own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport]) -> None:
    """When the broker comes back with nothing, streams and consumers are made again, and casts flow."""
    agent, caller = Recorder(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    own_broker.kill()
    shutil.rmtree(own_broker.directory / "jetstream")
    await own_broker.start()
    await caller.cast(HOST1, b"host", "cast-1")
    await caller.cast(COMPUTE, b"topic", "cast-2")
    await eventually(lambda: sorted(agent.bodies) == [b"host", b"topic"])


async def freeze(pid: int) -> None:
    """Stop a process; returns when all of its threads, which may be in the middle of something, have stopped."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    await eventually(lambda: all(") T " in (thread / "stat").read_text() for thread in threads.iterdir()))


async def test_frozen_broker(
    own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that keeps its connections and answers nothing: calls end in time, the connection is broken off, and
    when the broker moves again so does everything else."""
    agent, caller = Recorder(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    assert own_broker.pid is not None
    await freeze(own_broker.pid)
    be_impatient(monkeypatch)
    async with asyncio.timeout(60):
        with pytest.raises(NoAnswer):
            await caller.call(HOST1, b"frozen", timeout=0.3)
        await eventually(lambda: not caller._connection._client.is_connected)
    os.kill(own_broker.pid, signal.SIGCONT)
    assert await call(caller, HOST1, b"thawed") == b"one:thawed"
    await caller.cast(HOST1, b"cast", "cast-1")
    await eventually(lambda: b"cast" in agent.bodies)
    assert agent.calls[-1] == b"thawed"


async def test_call_ends_in_time_although_nobody_reads_what_we_send(
    own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport]
) -> None:
    """Calls end at their timeout while more than the buffers hold is waiting to be sent to a frozen broker."""
    caller = await own_fleet.join()
    body = b"x" * 1_000_000
    assert own_broker.pid is not None
    await freeze(own_broker.pid)
    async with asyncio.timeout(60):
        ends = await asyncio.gather(*(caller.call(HOST1, body, timeout=0.5) for _ in range(20)), return_exceptions=True)
    os.kill(own_broker.pid, signal.SIGCONT)
    assert {type(end) for end in ends} <= {NoAnswer, NobodyListens}
    assert len(ends) == 20


async def test_connection_that_the_library_gave_up(
    own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that the broker ends with an error, after which the library closes for good, is made anew."""
    agent, member, caller = Recorder(), await own_fleet.join(), await own_fleet.join()
    await agent.listen(member, "compute", "host1")
    be_impatient(monkeypatch)
    clients = [member._connection._client, caller._connection._client]
    for client in clients:
        assert client._transport is not None
        client._transport.write(b"NONSENSE\r\n")
    await eventually(lambda: all(client.is_closed for client in clients))
    assert await call(caller, HOST1, b"hello") == b"one:hello"
    await caller.cast(HOST1, b"cast", "cast-1")
    await eventually(lambda: agent.bodies == [b"cast"])


async def test_deaf_connection(own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose reader has ended, which the library does not notice, is made anew."""
    agent, member, caller = Recorder(), await own_fleet.join(), await own_fleet.join()
    await agent.listen(member, "compute", "host1")
    be_impatient(monkeypatch)
    reader = caller._connection._client._reading_task
    assert reader
    reader.cancel()
    await eventually(lambda: caller._connection._client._reading_task not in (reader, None))
    assert await call(caller, HOST1, b"hello") == b"one:hello"


async def test_what_comes_twice_while_we_move(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a member that moves listens by its old and its new connection, each call, cast and fanout is run once; it
    moves once, however often it is told to; and what it begins to listen to meanwhile it hears afterwards."""
    listens_by_both, go_on, leave = asyncio.Event(), asyncio.Event(), Connection._listen_no_more_by

    async def leave_later(connection: Connection, client: BrokerClient) -> None:
        listens_by_both.set()
        await go_on.wait()
        await leave(connection, client)

    monkeypatch.setattr(Connection, "_listen_no_more_by", leave_later)
    fleet, agent, later = Fleet(on_broker(broker)), Recorder(), Recorder()
    member, caller = await fleet.join(), await fleet.join()
    await agent.listen(member, "compute", "host1")
    old = member._connection._client
    for _ in range(2):
        await member._connection._on_lame_duck(old)
    await listens_by_both.wait()
    await later.listen(member, "later", "host1")
    for number in range(20):
        assert await caller.call(HOST1, b"%d" % number, timeout=5) == b"one:%d" % number
        await caller.fanout("compute", b"%d" % number)
        await caller.cast(HOST1, b"%d" % number, f"cast-{number}")
    go_on.set()
    await eventually(lambda: old.is_closed)
    assert await caller.call(HOST1, b"20", timeout=5) == b"one:20"
    assert await caller.call(Address("later"), b"hello", timeout=5) == b"one:hello"
    bodies = [b"%d" % number for number in range(21)]
    await eventually(lambda: len(agent.casts) == 20 and len(agent.fanouts) == 20)
    assert (agent.calls, agent.fanouts, sorted(agent.bodies)) == (bodies, bodies[:20], sorted(bodies[:20]))
    assert member._connection._client is not old
    assert all(
        interest.subscriptions.keys() == {member._connection._client} for interest in member._connection._interests
    )
    await fleet.close()


async def test_nowhere_to_move(own_broker: EmbeddedBroker, own_fleet: Fleet[NatsTransport]) -> None:
    """A member of a broker that is alone stays until it is sent away, and comes back when the broker does."""
    agent, member, caller = Recorder(), await own_fleet.join(), await own_fleet.join()
    await agent.listen(member, "compute", "host1")
    own_broker.kill()
    await member._connection._move(member._connection._client)
    await own_broker.start()
    assert await call(caller, HOST1, b"hello") == b"one:hello"


async def test_slow_process_keeps_its_connection(
    own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was held up for longer than the broker is given does not blame the broker."""
    member = await own_fleet.join()
    client = member._connection._client
    monkeypatch.setattr(nats_client, "ANSWER_SECONDS", 0.5)
    flushing = asyncio.create_task(member._connection.flush())
    await asyncio.sleep(0)
    held_up(0.7)
    assert await flushing
    assert (client.is_connected, client.stats["reconnects"]) == (True, 0)


def held_up(seconds: float) -> None:
    """Block this thread, as an overloaded machine would."""
    time.sleep(seconds)


async def test_killed_process(broker: EmbeddedBroker) -> None:
    """The cast that a process had in hand when it was killed is run by another one, as the second attempt."""
    make = on_broker(broker)
    caller = await make().open()
    program = [sys.executable, "-c", DOOMED, broker.url, caller._subjects.project, str(ACK_WAIT)]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    await caller.cast(HOST1, b"precious", "cast-1")
    assert await process.stdout.readline() == b"1 precious\n"
    process.kill()
    await process.wait()
    agent, member = Recorder(), await make().open()
    await agent.listen(member, "compute", "host1")
    await eventually(lambda: len(agent.casts) == 1)
    assert [(cast.body, cast.attempt) for cast in agent.casts] == [(b"precious", 2)]
    await member.close()
    await caller.close()


DOOMED = """
import asyncio, sys
from midflight.transports.base import Address, Identity
from midflight.transports.nats import NatsListener, NatsTransport
from midflight.transports.nats_client import BrokerClient
from midflight.transports.nats_connection import Connection

async def on_cast(delivery):
    print(delivery.attempt, delivery.body.decode(), flush=True)
    await asyncio.sleep(3600)

async def main(url, project, ack_wait):
    identity, wait = Identity("compute", "host1"), float(ack_wait)
    member = await NatsTransport(url, name="doomed", project=project, identity=identity, ack_wait=wait).open()
    await member.listen(Address("compute", "host1"), None, on_cast, None)
    await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""


# Ways round the proof of who sends


async def test_an_answer_is_wanted_in_the_own_inbox(broker: EmbeddedBroker) -> None:
    """A call that wants its answer elsewhere, or nowhere, is not served, and is counted; else its callee would speak
    for its sender where that may not."""
    fleet, agent = Fleet(on_broker(broker)), Recorder()
    member = await fleet.join()
    await agent.listen(member, "compute", "host1")
    deadline = asyncio.get_running_loop().time() + 60
    before = refused("call")
    call, own = member._subjects.call(HOST1, MEMBER), member._subjects.inbox(MEMBER)
    for reply in ("", own, f"{own}x.1", member._subjects.inbox(Identity("api", "host9")) + ".1", call):
        await member._connection.publish(call, b"forged", deadline=deadline, reply=reply)
    assert await member.call(HOST1, b"call", timeout=5) == b"one:call"
    assert (agent.calls, refused("call") - before) == ([b"call"], 5)
    await fleet.close()


async def test_the_store_speaks_for_nobody(broker: EmbeddedBroker) -> None:
    """What somebody has had the store send to where another one's messages go is not taken for that one's: calls, casts
    and fanouts, by each way of asking it."""
    fleet, agent = Fleet(on_broker(broker)), Recorder()
    member = await fleet.join()
    await agent.listen(member, "compute", "host1")
    before = [refused(kind) for kind in ("call", "cast", "fanout")]
    subjects, connection, conductor = member._subjects, member._connection, Identity("conductor", "host0")
    deadline = asyncio.get_running_loop().time() + 60
    await member.park(ParkedMessage(HOST1, b"forged", "cast-1", {}))
    await member.cast(Address("mine"), b"forged", "cast-2")
    await member._store.declare_consumer("mine", subjects.cast(Address("mine"), None), 1.0)
    goals = [
        subjects.call(HOST1, conductor), subjects.cast(HOST1, conductor), subjects.fanout("compute", conductor),
    ]  # fmt: skip
    for goal in goals:
        asked = {f"DIRECT.GET.{subjects.parked}": b'{"seq":1}', f"CONSUMER.MSG.NEXT.{subjects.casts}.mine": b"1"}
        for ask, body in asked.items():
            await connection.publish(f"{API}.{ask}", body, deadline=deadline, reply=goal)
        await connection.request(f"{API}.STREAM.INFO.{subjects.casts}", b"", 60)
        await asyncio.sleep(1.1)  # until what was not acknowledged comes again
    assert await member.call(HOST1, b"call", timeout=5) == b"one:call"
    await member.cast(HOST1, b"cast", "cast-3")
    await eventually(lambda: b"cast" in agent.bodies)
    assert conductor not in agent.senders
    assert (agent.calls, agent.bodies, agent.fanouts) == ([b"call"], [b"cast"], [])
    now = [refused(kind) for kind in ("call", "cast", "fanout")]
    assert [after - then for after, then in zip(now, before, strict=True)] == [2, 1, 2]
    await fleet.close()


def refused(kind: str) -> int:
    """How many messages were counted as from nobody knows whom."""
    return counted("transport.refused", kind=kind)


async def test_who_finds_a_crowd_polls_again_later(
    own_fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where as many members poll for one topic as the broker lets, one more takes that for no failure: it asks for
    nothing but its next poll when this one would be over, and has its casts when there is room."""
    monkeypatch.setattr(nats_consumer, "POLL_SECONDS", 0.5)
    agent, crowd, declared = Recorder(), await own_fleet.join(), list[None]()
    await (await agent.listen(await own_fleet.join(), "compute")).drain(timeout=5)
    connection, inbox = crowd._connection, crowd._connection.new_inbox()
    waiting = await connection.subscribe(f"{inbox}.*", lambda _: None)
    poll = f"{API}.CONSUMER.MSG.NEXT.{crowd._subjects.casts}.compute"
    for number in range(512):
        deadline = asyncio.get_running_loop().time() + 60
        await connection.publish(
            poll, b'{"batch": 1, "expires": 3600000000000}', deadline=deadline, reply=f"{inbox}.{number}"
        )
    assert await connection.flush()
    member = await own_fleet.join()
    declare = member._store.declare

    async def counting() -> None:
        declared.append(None)
        await declare()

    monkeypatch.setattr(member._store, "declare", counting)
    listener = await agent.listen(member, "compute")
    opened = listener._consumer._polls["compute"]
    await eventually(lambda: opened.number >= 3)
    assert (opened.failed, declared) == (False, [])
    await connection.withdraw(waiting)
    await crowd.cast(COMPUTE, b"for anyone", "cast-1")
    await eventually(lambda: agent.bodies == [b"for anyone"])
