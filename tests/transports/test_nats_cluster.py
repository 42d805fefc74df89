"""What is true of three NATS servers together, behind TLS: one of them may be killed, frozen, or sent away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from midflight.errors import BrokerUnreachable
from midflight.transports import nats_store
from midflight.transports.base import Address, ParkedMessage
from midflight.transports.nats import NatsListener, NatsTransport
from midflight.transports.nats_store import Refused
from tests.transports.certificates import Authority, secured
from tests.transports.conftest import Fleet, on_broker
from tests.transports.load import AGENT, PATIENCE, Agent, Load, until
from tests.transports.recorder import Recorder, eventually
from tests.transports.servers import Cluster, NatsServer


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three servers of this module alone, to be treated badly one after the other."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    nkey = authority.nkey("member")
    member = structs.replace(authority.issue("member"), nkey=nkey)
    three = Cluster(tmp_path_factory.mktemp("three"), secured(authority.issue("server"), nkey), "tls", member)
    asyncio.run(three.start())
    yield three
    three.close()


@pytest.fixture(scope="module")
def member(three: Cluster) -> Callable[..., NatsTransport]:
    """Makes members of one project: a new one could not have streams while a server is away."""
    return on_broker(three)


@pytest.fixture
async def fleet(three: Cluster, member: Callable[..., NatsTransport]) -> AsyncIterator[Fleet[NatsTransport]]:
    """Members on these servers, all of which are alive, before and afterwards."""
    fleet = Fleet(member)
    yield fleet
    await three.heal()
    await fleet.close()


def server_of(member: NatsTransport) -> str:
    """Where a member is connected."""
    return member._connection._client.netloc


async def joined(fleet: Fleet[NatsTransport], fits: Callable[[str], bool]) -> NatsTransport:
    """A member that is connected to a server which fits."""
    async with asyncio.timeout(PATIENCE):
        while not fits(server_of(member := await fleet.join())):
            await member.close()
    return member


async def stream(member: NatsTransport, name: str | None = None) -> dict[str, Any]:
    """What the broker says of the stream of casts, as soon as it has a leader and all of its servers are up to date."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                info: dict[str, Any] = await member._store.ask(f"STREAM.INFO.{name or member._subjects.casts}")
            except (TimeoutError, Refused):
                continue
            current = [replica["current"] for replica in info["cluster"].get("replicas", ())]
            if all(current) and len(current) + 1 == info["config"]["num_replicas"]:
                return info
            await asyncio.sleep(0.05)


async def leader_of(three: Cluster, member: NatsTransport) -> NatsServer:
    """The server that leads the stream of casts."""
    name = (await stream(member))["cluster"]["leader"]
    return three.servers[int(name[1:])]


async def copies(member: NatsTransport) -> tuple[int, ...]:
    """How often casts, parked messages and large bodies are kept."""
    streams = [await stream(member, name) for name in member._subjects.of_streams()]
    return tuple(info["config"]["num_replicas"] for info in streams)


async def test_everything_is_kept_three_times(fleet: Fleet[NatsTransport]) -> None:
    """Where the URL names three servers, all streams, and what is known of the receivers of casts, are on each."""
    member = await fleet.join()
    await Recorder().listen(member, "compute", "host1")
    assert await copies(member) == (3, 3, 3)
    for name in ("compute", "compute@host1"):
        consumer = await member._store.ask(f"CONSUMER.INFO.{member._subjects.casts}.{name}")
        assert len(consumer["cluster"]["replicas"]) == 2


async def test_polls_follow_the_leader(fleet: Fleet[NatsTransport]) -> None:
    """When another server leads a consumer, which everyone is told, what was asked of the last one is asked again."""
    member = await fleet.join()
    listener = await Recorder().listen(member, "compute", "host1")
    assert isinstance(listener, NatsListener)
    polls = listener._consumer._polls
    await eventually(lambda: [poll.number for poll in polls.values()] == [1, 1])
    news = f"$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.{member._subjects.casts}.compute@host1"
    await member._connection.publish(news, b"{}", deadline=asyncio.get_running_loop().time() + 5)
    await eventually(lambda: polls["compute@host1"].number == 2)
    assert polls["compute"].number == 1


async def test_parked_messages_that_a_replica_has_not_heard_of(
    fleet: Fleet[NatsTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has parked a message finds it in the list, also where a replica makes the list that is behind; and no
    message that somebody else has let go."""
    member, other = await fleet.join(), await fleet.join()
    for name in ("cast-1", "cast-2"):
        await member.park(ParkedMessage(AGENT, b"parked", name, {}))
    assert await other.discard(AGENT, "cast-1")

    async def listed(*where: str) -> list[Any]:
        return []

    monkeypatch.setattr(member._store, "listed", listed)
    for address in (AGENT, None):
        assert [message.message_id for message in await member.parked(address)] == ["cast-2"]
    assert await member.parked(Address("compute", "host7")) == []


async def test_streams_grow_with_the_cluster(three: Cluster) -> None:
    """Streams that were made while the URL named one server are kept three times as soon as it names three, with what
    is in them; a member whose URL still names one leaves them so."""
    make = on_broker(three)
    alone = make.func(three.servers[0].url, **make.keywords)  # type: ignore[attr-defined]
    await alone.open()
    assert await copies(alone) == (1, 1, 1)
    await alone.cast(AGENT, b"early", "cast-1")
    await alone.park(ParkedMessage(AGENT, b"parked", "cast-2", {}))
    grown = await make().open()
    assert await copies(grown) == (3, 3, 3)
    await alone._store.declare()
    assert await copies(grown) == (3, 3, 3)
    agent = Recorder()
    await agent.listen(grown, "compute", "host1")
    await eventually(lambda: agent.bodies == [b"early"])
    assert [message.body for message in await grown.parked()] == [b"parked"]
    await alone.close()
    await grown.close()


async def test_lame_duck(three: Cluster, fleet: Fleet[NatsTransport]) -> None:
    """A server that says that it will end is left before it does: no call fails, no cast or fanout comes twice."""
    member = await fleet.join()
    caller = await joined(fleet, lambda netloc: netloc == server_of(member))
    agent, lame = Agent(), three.at(server_of(member))
    await agent.listen(member, "compute", "host1")
    async with Load.on(caller) as load:
        await load.more()
        lame.become_lame()
        for number in range(100):
            await caller.fanout("compute", b"%d" % number)
            await asyncio.sleep(0.01)
        await until(lambda: not {lame} & {three.at(server_of(member)), three.at(server_of(caller))})
        await load.more()
    await until(lambda: agent.ran.keys() >= load.accepted)
    assert (load.failed.total(), load.wrong, max(agent.ran.values())) == (0, [], 1)
    assert agent.fanouts == [b"%d" % number for number in range(100)]
    assert len(agent.calls) == load.answered


async def test_a_new_cluster_without_most_of_its_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds one of three servers that have never met is told which ones are needed, and not only that there is no
    answer."""
    monkeypatch.setattr(nats_store, "STORE_SECONDS", 0.0)
    monkeypatch.setattr(nats_store, "API_SECONDS", 0.1)
    alone = Cluster(tmp_path)
    try:
        await alone.servers[0].start()
        with pytest.raises(BrokerUnreachable, match="takes most servers of a cluster, and each of them when it is new"):
            await on_broker(alone)().open()
    finally:
        alone.close()


async def test_frozen_node(three: Cluster, fleet: Fleet[NatsTransport]) -> None:
    """A server that is frozen, behind TLS, is left for another one: of the calls that are made while it is frozen, no
    more fail than there can be in two rounds of watching, and after that all are answered."""
    member = await fleet.join()
    caller = await joined(fleet, lambda netloc: netloc != server_of(member))
    agent = Agent()
    await agent.listen(member, "compute", "host1")
    frozen = three.at(server_of(caller))
    async with Load.on(caller) as load:
        await load.more()
        frozen.freeze()
        await load.more(200, 100)
        assert frozen is not three.at(server_of(caller))
        failed = load.failed.total()
        await load.more(200, 100)
    assert failed <= 20
    assert load.failed.total() == failed
    await until(lambda: agent.ran.keys() >= load.accepted)
    assert (load.wrong, max(agent.ran.values())) == ([], 1)


async def test_killed_node_under_load(three: Cluster, fleet: Fleet[NatsTransport]) -> None:
    """The server at which agent and caller are, and which leads the stream, is killed: both go on at another one; when
    there is a new leader, casts are accepted again, and of those that were accepted before not one is lost or run
    twice. Meanwhile members may join."""
    leader = await leader_of(three, await fleet.join())
    member, caller = [await joined(fleet, lambda netloc: leader.url.endswith(netloc)) for _ in range(2)]
    agent = Agent()
    await agent.listen(member, "compute", "host1")
    async with Load.on(caller) as load:
        await load.more()
        leader.kill()
        await load.more(200, 100)
        assert await (await fleet.join()).call(AGENT, b"late", timeout=5) == b"one:late"
    await until(lambda: agent.ran.keys() >= load.accepted)
    assert (load.wrong, max(agent.ran.values())) == ([], 1)
