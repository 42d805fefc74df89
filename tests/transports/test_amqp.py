"""What is true of RabbitMQ alone: brokers that are missing, killed, frozen, emptied or short of memory."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiormq import spec

from midflight.config import Credentials
from midflight.errors import BrokerUnreachable, ConfigError, InvalidValue
from midflight.transports import amqp as amqp_transport
from midflight.transports import amqp_connection, amqp_link, amqp_outbox
from midflight.transports.amqp import AmqpListener, AmqpTransport
from midflight.transports.amqp_link import ask
from midflight.transports.amqp_outbox import MESSAGE_ID, RIPE_SECONDS
from midflight.transports.base import Address, CastDelivery, NoAnswer, NobodyListens, ParkedMessage, Redeliver
from tests.transports.certificates import Authority
from tests.transports.conftest import ACK_WAIT, Fleet, on_rabbit
from tests.transports.rabbit import Rabbit
from tests.transports.recorder import MEMBER, Gated, Recorder, eventually
from tests.transports.relay import Relay

COMPUTE = Address("compute")
HOST1 = Address("compute", "host1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the victim, and for its members."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Rabbit]:
    """A broker of these tests alone, to be treated badly; it speaks TLS as well."""
    rabbit = Rabbit(tmp_path_factory.mktemp("victim"), authority.issue("server"))
    yield rabbit
    rabbit.close()


@pytest.fixture
async def own_broker(victim: Rabbit) -> Rabbit:
    """That broker, which runs."""
    return await victim.start()


@pytest.fixture
async def own_fleet(own_broker: Rabbit) -> AsyncIterator[Fleet[AmqpTransport]]:
    """Members on that broker."""
    fleet = Fleet(on_rabbit(own_broker))
    yield fleet
    await fleet.close()


def transport(url: str, ack_wait: float = ACK_WAIT) -> AmqpTransport:
    return AmqpTransport(url, name="member", project="test", ack_wait=ack_wait, identity=MEMBER)


async def call(caller: AmqpTransport, address: Address, body: bytes, timeout: float = 1) -> bytes:
    """Call until somebody answers: after an outage the caller may be back before the others are."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await caller.call(address, body, timeout)
            except (NobodyListens, NoAnswer):
                await asyncio.sleep(0.05)


async def kill(broker: Rabbit) -> None:
    """Kill it. RabbitMQ 3.10 writes down a new quorum queue's place within about a second; one that is younger when the
    broker is killed is empty afterwards, and finds no leader any more."""
    await asyncio.sleep(2)
    broker.kill()


async def delete_queue(member: AmqpTransport, name: str) -> None:
    """As an operator would, by hand."""
    link = await member._inbound.link(asyncio.get_running_loop().time() + 5)
    await member._queues.delete(link, name)


async def test_the_first_cast_of_a_queue(
    own_broker: Rabbit, own_fleet: Fleet[AmqpTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was confirmed is safe, also what made its queue, and what came close behind that: when the broker is killed
    the moment it has confirmed them, all are there when it is back, and more can be sent."""
    monkeypatch.setattr(amqp_outbox, "RIPE_SECONDS", RIPE_SECONDS)
    caller = await own_fleet.join()
    await asyncio.gather(*(caller.cast(HOST1, b"%d" % number, f"cast-{number}") for number in range(5)))
    own_broker.kill()
    await own_broker.start()
    agent = Recorder()
    await caller.cast(HOST1, b"later", "later")
    await agent.listen(await own_fleet.join(), "compute", "host1")
    await eventually(lambda: sorted(agent.bodies) == [b"0", b"1", b"2", b"3", b"4", b"later"])


# Brokers that cannot be reached


async def test_unreachable_broker_is_named() -> None:
    """Where nobody listens, the error says so at once, with the URL and the reason, and the way out."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"amqp://guest:secret@127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(
            BrokerUnreachable, match=r"^No broker answers at amqp://127.*[Rr]efused\. Start it"
        ) as raised:
            await transport(url).open()
    assert "secret" not in str(raised.value)


async def test_wrong_password(rabbit: Rabbit) -> None:
    """A password that is not right is a broker that cannot be reached, and the reason is told without it."""
    with pytest.raises(BrokerUnreachable, match="ACCESS_REFUSED") as raised:
        await transport(rabbit.url.replace("guest@", "wrong@")).open()
    assert "wrong" not in str(raised.value)


async def test_unknown_virtual_host(rabbit: Rabbit) -> None:
    """A virtual host that is not there is named."""
    with pytest.raises(BrokerUnreachable, match="no virtual host 'nowhere' is there for this user"):
        await transport(rabbit.url + "nowhere").open()


async def test_every_broker_of_a_cluster_is_tried(rabbit: Rabbit) -> None:
    """Of several brokers one is enough; where there is none, each one's reason is told."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"amqp://127.0.0.1:{unused.getsockname()[1]}"
        for url in (f"{dead},{rabbit.url}", f"{rabbit.url},{dead}"):
            await (await transport(url).open()).close()
        with pytest.raises(BrokerUnreachable, match=r"refused; .*refused"):
            await transport(f"{dead},{dead}").open()


async def test_silent_broker_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts connections and says nothing is no broker, and that is known in time."""
    monkeypatch.setattr(amqp_link, "CONNECT_SECONDS", 0.3)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server, asyncio.timeout(60):
        with pytest.raises(BrokerUnreachable, match="nobody spoke AMQP there within"):
            await transport(f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}").open()


async def test_other_server_is_unreachable() -> None:
    """A port where something else than AMQP answers is no broker."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        with pytest.raises(BrokerUnreachable, match="^No broker answers at amqp://127.0.0.1"):
            await transport(f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}").open()


def test_project_names_are_single_words() -> None:
    """A project whose name cannot be a word of a queue's name is refused."""
    with pytest.raises(InvalidValue, match=r"^project name: received 'my\.cloud'"):
        AmqpTransport("amqp://127.0.0.1", name="member", project="my.cloud", identity=MEMBER)


async def test_second_try(own_broker: Rabbit) -> None:
    """A transport that found no broker can be opened when there is one."""
    own_broker.kill()
    member, agent = on_rabbit(own_broker)(), Recorder()
    with pytest.raises(BrokerUnreachable):
        await member.open()
    await own_broker.start()
    await member.open()
    await agent.listen(member, "compute", "host1")
    assert await member.call(HOST1, b"hello", timeout=5) == b"one:hello"
    await member.close()


async def test_a_way_that_is_slower_to_open_than_a_call_may_take(rabbit: Rabbit) -> None:
    """The channel for what is sent is opened once for all who need it. Were it begun anew for each, nothing would ever
    go out to a broker that takes longer for it than anyone waits."""
    fleet, url = Fleet(on_rabbit(rabbit)), urlsplit(rabbit.url)
    await Recorder().listen(member := await fleet.join(), "compute", "host1")
    relay = await Relay(url.port or 0).start()
    far = AmqpTransport(
        f"amqp://guest:guest@{relay.netloc}/", name="far", project=member._queues.names.project, identity=MEMBER
    )
    await far.open()
    relay.delay = 0.6  # 2.4 s until a channel is open, 1.2 s for a call
    assert await call(far, HOST1, b"hello", timeout=2) == b"one:hello"
    relay.delay = 0.0
    await far.close()
    await relay.stop()
    await fleet.close()


# TLS


def encrypted(broker: Rabbit, credentials: Credentials) -> AmqpTransport:
    return AmqpTransport(broker.tls_url, name="member", project="test", credentials=credentials, identity=MEMBER)


async def test_tls(own_broker: Rabbit, authority: Authority) -> None:
    """Over TLS, with a certificate on each side, messages flow as they do without."""
    agent, member = Recorder(), await encrypted(own_broker, authority.issue("member")).open()
    await agent.listen(member, "compute", "host1")
    assert await member.call(HOST1, b"x" * 100_000, timeout=5) == b"one:" + b"x" * 100_000
    await member.cast(HOST1, b"cast", "tls-1")
    await eventually(lambda: agent.bodies == [b"cast"])
    await member.close()


async def test_tls_refusals(own_broker: Rabbit, authority: Authority, tmp_path: Path) -> None:
    """A broker with an unknown certificate is not spoken to, and one that wants to see ours refuses us without, or with
    one that has expired."""
    with pytest.raises(BrokerUnreachable, match="certificate verify failed"):
        await encrypted(own_broker, Authority(tmp_path).issue("member")).open()
    for refused in (Credentials(ca=authority.ca), authority.issue("late", expired=True)):
        with pytest.raises(BrokerUnreachable):
            await encrypted(own_broker, refused).open()


def test_credentials_that_make_no_sense(authority: Authority, tmp_path: Path) -> None:
    """Credentials that cannot be used over RabbitMQ, or not without TLS, are a mistake in the configuration."""
    member = authority.issue("member")
    for url, credentials, match in (
        ("amqps://host,amqp://host", member, r"\[credentials\] ca: makes sense over amqps:// only"),
        ("amqps://host", Credentials(nkey=authority.nkey("member")), r"\[credentials\] nkey: is for NATS"),
        ("amqps://host", Credentials(ca=str(tmp_path / "none")), r"\[credentials\] ca: .* cannot be read"),
    ):
        with pytest.raises(ConfigError, match=match):
            AmqpTransport(url, name="member", project="test", credentials=credentials, identity=MEMBER)


# Names, and what others have made


async def test_projects_do_not_meet(rabbit: Rabbit) -> None:
    """Two projects on one broker see nothing of each other."""
    here, there = await on_rabbit(rabbit)().open(), await on_rabbit(rabbit)().open()
    await Recorder().listen(here, "compute", "host1")
    with pytest.raises(NobodyListens):
        await there.call(HOST1, b"hello", timeout=5)
    await here.park(ParkedMessage(HOST1, b"body", "cast-1", {}))
    assert await there.parked() == []
    await here.close()
    await there.close()


async def test_queue_of_another_version_is_used(rabbit: Rabbit) -> None:
    """A queue that exists with other settings, as another release would have made it, is taken as it is."""
    member, agent = await on_rabbit(rabbit)().open(), Recorder()
    link = await member._inbound.link(asyncio.get_running_loop().time() + 5)
    name = member._queues.names.cast(HOST1)
    await ask((await link.new_channel()).queue_declare(name, durable=True))
    await member.cast(HOST1, b"before", "cast-1")
    await agent.listen(member, "compute", "host1")
    await member.cast(HOST1, b"after", "cast-2")
    await eventually(lambda: agent.bodies == [b"before", b"after"])
    await member.close()


async def test_many_members_start_at_once(rabbit: Rabbit) -> None:
    """Twenty members of a new project may start at the same moment, and all of them can be reached."""
    fleet, agents = Fleet(on_rabbit(rabbit)), [Recorder() for _ in range(20)]

    async def start(number: int, agent: Recorder) -> None:
        member = await fleet.join()
        await agent.listen(member, "compute", f"host{number}")
        await member.cast(COMPUTE, b"%d" % number, f"cast-{number}")
        assert await member.call(Address("compute", f"host{number}"), b"hello", timeout=60) == b"one:hello"

    await asyncio.gather(*(start(number, agent) for number, agent in enumerate(agents)))
    await eventually(lambda: sum(len(agent.casts) for agent in agents) == 20)
    assert Counter(body for agent in agents for body in agent.bodies) == Counter(b"%d" % number for number in range(20))
    await fleet.close()


# Parked messages


async def test_parked_messages_keep_their_order(rabbit: Rabbit) -> None:
    """However often parked messages are read, also by several at once, all of them are there, oldest first."""
    members = [await on_rabbit(rabbit)().open()]
    members.append(
        await AmqpTransport(rabbit.url, name="other", project=members[0]._queues.names.project, identity=MEMBER).open()
    )
    for number in range(30):
        await members[number % 2].park(ParkedMessage(HOST1, b"%d" % number, f"cast-{number}", {"number": str(number)}))
    expected = [b"%d" % number for number in range(30)]
    for _ in range(2):
        for kept in await asyncio.gather(*(member.parked() for member in members * 2)):
            assert [message.body for message in kept] == expected
    await members[0].park(ParkedMessage(COMPUTE, b"last", "cast-30", {}))
    assert [message.body for message in await members[1].parked()] == [*expected, b"last"]
    for member in members:
        await member.close()


async def test_parked_by_another_version(rabbit: Rabbit) -> None:
    """A parked message in a form that we do not know is shown as it is, and said to be so."""
    member = await on_rabbit(rabbit)().open()
    await member._outbox.keep(member._queues.names.parked(HOST1), b"\xc1", {}, 60)
    await member._outbox.keep(member._queues.names.places, b"", {MESSAGE_ID: "no @ place"}, 60)
    await member._outbox.keep(member._queues.names.places, b"", {MESSAGE_ID: str(HOST1)}, 60)
    [message] = await member.parked()
    assert (message.address, message.body) == (HOST1, b"\xc1")
    assert message.facts["unreadable"].startswith("parked by another version of midflight")
    await member.close()


# Repeats, and attempts


async def test_message_ids_are_forgotten(rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that came longer ago than the window is new again."""
    member, agent = await on_rabbit(rabbit)().open(), Recorder()
    await agent.listen(member, "compute", "host1")
    for _ in range(2):
        await member.cast(HOST1, b"within", "cast-1")
    await member.cast(HOST1, b"mark", "cast-2")
    await eventually(lambda: agent.bodies == [b"within", b"mark"])
    monkeypatch.setattr("midflight.transports.amqp_seen.REMEMBER_SECONDS", -1)
    await member.cast(HOST1, b"beyond", "cast-1")
    await eventually(lambda: len(agent.casts) == 3)
    assert agent.bodies == [b"within", b"mark", b"beyond"]
    await member.close()


async def test_delayed_cast_survives_its_listener(rabbit: Rabbit) -> None:
    """A cast that shall come again later comes to somebody else, once, when its listener has died meanwhile."""

    class Busy(Recorder):
        async def on_cast(self, delivery: CastDelivery) -> None:
            await super().on_cast(delivery)
            raise Redeliver(4.0)  # it is gone by then

    fleet, busy, other = Fleet(on_rabbit(rabbit)), Busy(), Recorder()
    member = await fleet.join()
    listener = await busy.listen(member, "compute", "host1")
    assert isinstance(listener, AmqpListener)
    await member.cast(COMPUTE, b"again", "cast-1")
    await eventually(lambda: len(busy.casts) == 1 and not listener._consumer._in_hand)
    names = member._queues.names
    await other.listen(await fleet.join(), "scheduler", "host1")
    await listener._consumer._settling.finish(60)  # the broker has the copy, and hears that this one is done with
    await member.close()
    await other.listen(await fleet.join(), "compute", "host2")
    await eventually(lambda: len(other.casts) == 1)
    assert other.casts == [CastDelivery(b"again", "cast-1", attempt=2, sender=MEMBER)]
    assert names.cast(COMPUTE)
    await fleet.close()


async def test_message_of_somebody_else(rabbit: Rabbit) -> None:
    """A message that was put into a cast's queue by hand, without an id, is run like any other; one that says of nobody
    that he has sent it is counted, and let go."""
    member, agent = await on_rabbit(rabbit)().open(), Recorder()
    await agent.listen(member, "compute", "host1")
    await member.cast(HOST1, b"first", "cast-1")
    link = await member._outbound.link(asyncio.get_running_loop().time() + 5)
    for sender in ("compute.host1", "", "compute.host1"):
        properties, key = spec.Basic.Properties(app_id=sender), member._queues.names.cast(HOST1)
        await (await link.new_channel()).basic_publish(b"by hand", routing_key=key, properties=properties)
    await eventually(lambda: len(agent.casts) == 3)
    assert agent.casts[1:] == [CastDelivery(b"by hand", "", attempt=1, sender=MEMBER)] * 2
    await member.close()


# Queues that somebody deleted


async def test_deleted_queues_are_noticed(own_fleet: Fleet[AmqpTransport]) -> None:
    """Queues that were deleted under a listener, and under a caller, are there again, and everything flows; also where
    the broker did not tell the listener, since the queue was there anew at once."""
    agent, member, caller = Recorder(), await own_fleet.join(), await own_fleet.join()
    link = member._inbound._link
    await agent.listen(member, "compute", "host1")
    await caller.cast(HOST1, b"first", "cast-0")
    await caller.cast(COMPUTE, b"first", "cast-1")
    await eventually(lambda: agent.bodies == [b"first", b"first"])
    names = member._queues.names
    for name in (names.call(COMPUTE), names.call(HOST1), names.cast(COMPUTE), names.cast(HOST1)):
        await delete_queue(caller, name)
    await delete_queue(caller, caller._replies._queue.name)
    assert await call(caller, HOST1, b"host") == b"one:host"
    assert await call(caller, COMPUTE, b"topic") == b"one:topic"
    for number in range(3):
        await caller.cast(HOST1, b"host", f"host-{number}")
        await caller.cast(COMPUTE, b"topic", f"topic-{number}")
    await eventually(lambda: sorted(agent.bodies[2:]) == [b"host"] * 3 + [b"topic"] * 3)
    assert member._inbound._link is link


async def test_deleted_exchange_is_noticed(own_fleet: Fleet[AmqpTransport], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange that was deleted, of which the broker tells nobody, is soon there again, with its listeners."""
    monkeypatch.setattr("midflight.transports.amqp_subscription.LOOK_SECONDS", 2.0)
    agent, member, caller = Recorder(), await own_fleet.join(), await own_fleet.join()
    await agent.listen(member, "compute", "host1")
    link = await caller._inbound.link(asyncio.get_running_loop().time() + 5)
    await ask((await link.new_channel()).exchange_delete(member._queues.names.fanout("compute")))
    async with asyncio.timeout(60):
        while not agent.fanouts:
            await caller.fanout("compute", b"all")
            await asyncio.sleep(0.05)


# A broker that is killed


async def test_killed_broker_under_load(own_broker: Rabbit, own_fleet: Fleet[AmqpTransport]) -> None:
    """A broker is killed under load and started again on its store: every cast that it had accepted is run, calls end
    as not delivered or unknown and then are answered again, by the same members."""
    agent, members = Recorder(), [await own_fleet.join() for _ in range(3)]
    await agent.listen(await own_fleet.join(), "compute", "host1")
    accepted, answered, stop = list[bytes](), Counter[bytes](), asyncio.Event()

    async def load(name: int) -> None:
        number, member = 0, members[name % 3]
        while not stop.is_set():
            number += 1
            body = b"%d.%d" % (name, number)
            try:
                assert await member.call(HOST1, body, timeout=5) == b"one:" + body
                answered[body] += 1
            except (NobodyListens, NoAnswer):
                pass
            try:
                await member.cast(HOST1 if number % 2 else COMPUTE, body, body.decode())
                accepted.append(body)
            except NoAnswer:
                pass

    loads = [asyncio.create_task(load(name)) for name in range(9)]
    await eventually(lambda: answered.total() > 200)
    await kill(own_broker)
    before = answered.total()
    await own_broker.start()
    async with asyncio.timeout(60):
        while answered.total() < before + 500:
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*loads)
    await eventually(lambda: set(accepted) <= set(agent.bodies))
    assert set(answered.values()) == {1}


async def test_cast_that_ran_while_the_broker_was_away(own_broker: Rabbit, own_fleet: Fleet[AmqpTransport]) -> None:
    """Casts that end, or still run, when the broker comes back are not run again by the same listener; those that were
    stored or parked are there."""
    agent, caller, member = Gated(), await own_fleet.join(), await own_fleet.join()
    listener = await agent.listen(member, "compute", "host1")
    slow = Gated()
    await slow.listen(member, "slow", "host1")
    await caller.cast(HOST1, b"cast", "cast-1")
    await caller.cast(Address("slow"), b"slow", "cast-2")
    await caller.cast(Address("later"), b"later", "cast-3")
    await caller.park(ParkedMessage(HOST1, b"parked", "cast-x", {}))
    await eventually(lambda: agent.running == slow.running == 1)
    await kill(own_broker)
    agent.gate.set()
    await eventually(lambda: agent.finished == 1)
    await own_broker.start()
    await caller.cast(HOST1, b"next", "cast-4")
    await eventually(lambda: agent.finished == 2)
    await eventually(lambda: slow.running == 1)
    slow.gate.set()
    await caller.cast(Address("slow"), b"next", "cast-5")
    await eventually(lambda: slow.finished == 2)
    assert (agent.bodies, slow.bodies) == ([b"cast", b"next"], [b"slow", b"next"])
    later = Recorder()
    await later.listen(await own_fleet.join(), "later", "host1")
    await eventually(lambda: later.bodies == [b"later"])
    assert [message.body for message in await caller.parked()] == [b"parked"]
    await listener.drain(timeout=5)
    with pytest.raises(NobodyListens):
        await caller.call(HOST1, b"hello", timeout=5)


async def test_broker_that_stays_away(
    own_broker: Rabbit, own_fleet: Fleet[AmqpTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker is away a call was certainly not executed, a cast is not confirmed, listening fails, a fanout is
    lost, and all of them end in time; a drain and a close end too."""
    agent, member = Recorder(), await own_fleet.join()
    listener = await agent.listen(member, "compute", "host1")
    monkeypatch.setattr(amqp_transport, "CAST_SECONDS", 0.3)
    monkeypatch.setattr(amqp_transport, "REPLY_SECONDS", 0.3)
    monkeypatch.setattr("midflight.transports.amqp_subscription.LOOK_SECONDS", 0.3)
    monkeypatch.setattr("midflight.transports.amqp_parked.READ_SECONDS", 0.3)
    own_broker.kill()
    await eventually(lambda: not member._inbound._has_link and not member._outbound._has_link)
    async with asyncio.timeout(60):
        with pytest.raises(NobodyListens):
            await member.call(HOST1, b"call", timeout=0.3)
        with pytest.raises(NoAnswer, match=r"^No answer from compute@host1 within 0\.3 s\.$"):
            await member.cast(HOST1, b"cast", "cast-1")
        with pytest.raises(NoAnswer):
            await member.park(ParkedMessage(HOST1, b"parked", "cast-2", {}))
        with pytest.raises(BrokerUnreachable):
            await agent.listen(member, "other", "host1")
        with pytest.raises(BrokerUnreachable):
            await member.parked()
        await member.fanout("compute", b"all")
        await listener.drain(timeout=5)
        await member.close()
    assert (agent.calls, agent.casts, agent.fanouts) == ([], [], [])


async def test_call_that_lost_its_connection(own_broker: Rabbit, own_fleet: Fleet[AmqpTransport]) -> None:
    """A call that is in hand when the broker dies ends at once, as perhaps executed, however long it might wait."""
    agent, caller = Gated(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    calling = asyncio.create_task(caller.call(HOST1, b"call", timeout=3600))
    await eventually(lambda: agent.running == 1)
    own_broker.kill()
    with pytest.raises(NoAnswer):
        await asyncio.wait_for(calling, 60)


# A broker that is frozen, or short of memory


async def test_frozen_broker(
    own_broker: Rabbit, own_fleet: Fleet[AmqpTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that keeps its connections and answers nothing: calls end in time, also when more is sent than the
    buffers hold; the connection is broken off; and when the broker moves again so does everything else."""
    agent, caller = Recorder(), await own_fleet.join()
    await agent.listen(await own_fleet.join(), "compute", "host1")
    monkeypatch.setattr(amqp_connection, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(amqp_link, "PING_SECONDS", 0.4)
    monkeypatch.setattr(amqp_link, "CONNECT_SECONDS", 1.0)
    own_broker.freeze()
    try:
        async with asyncio.timeout(60):
            body = b"x" * 1_000_000
            ends = await asyncio.gather(*(caller.call(HOST1, body, 0.5) for _ in range(20)), return_exceptions=True)
            await eventually(lambda: not caller._inbound._has_link and not caller._outbound._has_link)
    finally:
        own_broker.thaw()
    assert {type(end) for end in ends} <= {NoAnswer, NobodyListens}
    assert await call(caller, HOST1, b"thawed") == b"one:thawed"
    await caller.cast(HOST1, b"cast", "cast-1")
    await eventually(lambda: agent.bodies == [b"cast"])


async def test_memory_alarm(
    own_broker: Rabbit, own_fleet: Fleet[AmqpTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is short of memory takes no more messages: casts and calls end in time, and their connection is
    kept; what is in hand can be acknowledged meanwhile; afterwards everything flows."""
    agent, member, caller = Gated(), await own_fleet.join(), await own_fleet.join()
    await agent.listen(member, "compute", "host1")
    await caller.cast(HOST1, b"in hand", "cast-1")
    await eventually(lambda: agent.running == 1)
    monkeypatch.setattr(amqp_transport, "CAST_SECONDS", 0.5)
    monkeypatch.setattr(amqp_connection, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(amqp_link, "PING_SECONDS", 1.0)
    link = await caller._outbound.link(0)
    await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "0.0001")
    try:
        async with asyncio.timeout(60):
            for number in range(3):
                with pytest.raises(NoAnswer):
                    await caller.cast(HOST1, b"x" * 1_000_000, f"blocked-{number}")
                with pytest.raises(NoAnswer):
                    await caller.call(HOST1, b"x" * 1_000_000, timeout=0.3)
            agent.gate.set()
            await eventually(lambda: agent.finished == 1)
            waiting = await queued(caller, HOST1)
    finally:
        await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "0.4")
    assert waiting == 0
    assert await caller._outbound.link(0) is link
    assert await call(caller, HOST1, b"after") == b"gated:after"
    await caller.cast(HOST1, b"after", "cast-2")
    await eventually(lambda: b"after" in agent.bodies)


async def queued(member: AmqpTransport, address: Address) -> int:
    """How many casts to this address wait."""
    link = await member._inbound.link(asyncio.get_running_loop().time() + 5)
    return await member._queues.count(link, member._queues.names.cast(address))


# A process that is killed


async def test_killed_process(rabbit: Rabbit) -> None:
    """The cast that a process had in hand when it was killed is run by another one, as the second attempt."""
    fleet = Fleet(on_rabbit(rabbit))
    caller = await fleet.join()
    program = [sys.executable, "-c", DOOMED, rabbit.url, caller._queues.names.project]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    await caller.cast(HOST1, b"precious", "cast-1")
    assert await process.stdout.readline() == b"1 precious\n"
    process.kill()
    await process.wait()
    agent = Recorder()
    await agent.listen(await fleet.join(), "compute", "host1")
    await eventually(lambda: len(agent.casts) == 1)
    assert [(cast.body, cast.attempt) for cast in agent.casts] == [(b"precious", 2)]
    with pytest.raises(NoAnswer):
        await caller.call(Address("nothing"), b"", timeout=0)
    await fleet.close()


DOOMED = """
import asyncio, sys
from midflight.transports.base import Address, Identity
from midflight.transports.amqp import AmqpTransport

async def on_cast(delivery):
    print(delivery.attempt, delivery.body.decode(), flush=True)
    await asyncio.sleep(3600)

async def main(url, project):
    member = await AmqpTransport(url, name="doomed", project=project, identity=Identity("compute", "host1")).open()
    await member.listen(Address("compute", "host1"), None, on_cast, None)
    await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""
