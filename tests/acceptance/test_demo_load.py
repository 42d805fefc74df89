from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from demo import raw
from demo.changes import histories, stale_reads
from demo.client import Client
from demo.loader import LoadBroken, Loader
from demo.observer import mix
from demo.raw import Journal, Request
from demo.traffic import Owned, Pools, Traffic

from tests.acceptance.fake_cloud import FakeCloud

HOSTS = ["agent-1", "agent-2"]


@pytest.fixture
async def cloud() -> AsyncIterator[FakeCloud]:
    async with FakeCloud(HOSTS).serving() as cloud:
        yield cloud


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "load.jsonl")
    yield journal
    journal.close()


@pytest.fixture
def traffic(cloud: FakeCloud, journal: Journal) -> Traffic:
    return Traffic(Client(cloud.port, journal))


def logged(tmp_path: Path) -> list[Request]:
    return raw.requests(tmp_path / "load.jsonl")


async def loaded(traffic: Traffic, seconds: float = 1.5) -> None:
    """A population of 24, and a steady load upon it for a while."""
    await traffic.populate(24, HOSTS, per_second=500)
    traffic.start(rate=300, workers=6)
    await asyncio.sleep(seconds)
    await traffic.stop()


async def test_every_request_is_logged_once(traffic: Traffic, cloud: FakeCloud, tmp_path: Path) -> None:
    """What the API saw and what the raw log holds are the same number: nothing is hidden, nothing retried."""
    await loaded(traffic)
    assert len(logged(tmp_path)) == len(cloud.requests) == traffic.client.requests


async def test_the_load_causes_no_conflict(traffic: Traffic, cloud: FakeCloud, tmp_path: Path) -> None:
    """Writes go only to instances that their owner has read to be idle, so that none is refused."""
    await loaded(traffic)
    assert cloud.conflicts == 0
    assert not [r for r in logged(tmp_path) if r.failed]


async def test_every_kind_is_its_share(traffic: Traffic, tmp_path: Path) -> None:
    """Reads, creates, resizes, reboots, migrations and deletes are each at least five percent of the steady load."""
    await loaded(traffic, seconds=4)
    shares = mix(logged(tmp_path)[24:])
    assert min(shares.values()) >= 5, shares


async def test_the_population_stays(traffic: Traffic, cloud: FakeCloud) -> None:
    """Creates and deletes keep each other in balance."""
    await loaded(traffic)
    assert 24 - 18 <= len(cloud.instances) <= 24 + 18


async def test_reads_agree_with_the_acknowledged(traffic: Traffic, tmp_path: Path) -> None:
    """Against a cloud that keeps its promises, the observer finds no stale read in the load's log."""
    await loaded(traffic)
    lives = histories(logged(tmp_path))
    assert len(lives) >= 24
    assert [loss for life in lives for loss in stale_reads(life)] == []


async def test_the_quiet_are_only_read(traffic: Traffic, tmp_path: Path) -> None:
    """The oldest instances get no write until the road asks for their resize."""
    await loaded(traffic)
    quiet = {one.uuid for one in traffic.pools.quiet}
    assert len(quiet) == 9
    assert {r.op for r in logged(tmp_path) if r.uuid in quiet} == {"create", "read"}


async def test_the_quiet_are_resized_on_request(traffic: Traffic, cloud: FakeCloud) -> None:
    """The lowest ids first, as many as were asked for."""
    await traffic.populate(24, HOSTS, per_second=500)
    assert await traffic.resize_quiet(4) == 4
    busy = [instance["id"] for instance in cloud.instances.values() if instance["task_state"]]
    assert busy == sorted(instance["id"] for instance in cloud.instances.values())[:4]


async def test_writes_are_in_flight(traffic: Traffic, cloud: FakeCloud) -> None:
    """When put_in_flight returns, the writes have left, for the host that was named, and are not awaited."""
    await traffic.populate(64, HOSTS, per_second=500)
    await traffic.put_in_flight("agent-2", 2)
    await traffic.stop()
    assert [i["host"] for i in cloud.instances.values() if i["task_state"]] == ["agent-2", "agent-2"]


@pytest.mark.parametrize("writes", [1, 4])
async def test_a_process_is_told_to_leave_amid_writes(traffic: Traffic, tmp_path: Path, writes: int) -> None:
    """SIGTERM is sent at the moment that is returned, and at least one write is unanswered then, however quick the
    answers are."""
    await traffic.populate(64, HOSTS, per_second=500)
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    told = await traffic.put_in_flight(None, writes, terminate=sleeper.pid)
    assert await sleeper.wait() == -signal.SIGTERM
    await traffic.stop()
    in_flight = [r for r in logged(tmp_path) if r.op in raw.WRITES and r.t <= told <= r.end]
    assert 1 <= len(in_flight) <= writes


async def test_where_all_are_busy_others_are_written_to(
    traffic: Traffic, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host whose guarded instances never come to rest delays nobody for ever."""
    monkeypatch.setattr("demo.traffic.IDLE_WITHIN", 0.5)
    await traffic.populate(64, HOSTS, per_second=500)
    for one in traffic.pools.guarded:
        if one.host == "agent-2":
            cloud.instances[one.uuid]["task_state"] = "resizing"
    await traffic.put_in_flight("agent-2", 1)
    await traffic.stop()
    assert "agent-1" in {i["host"] for i in cloud.instances.values() if i["task_state"]}


async def test_migrations_between_two_hosts(traffic: Traffic, cloud: FakeCloud) -> None:
    """As many as were asked for, from one host to the other."""
    await traffic.populate(64, HOSTS, per_second=500)
    before = sum(i["host"] == "agent-2" for i in cloud.instances.values())
    assert await traffic.migrate("agent-1", "agent-2", 2) == 2
    await asyncio.sleep(0.1)
    assert sum(i["host"] == "agent-2" for i in cloud.instances.values()) == before + 2


async def test_who_is_moved_there_and_back_comes_home(traffic: Traffic, cloud: FakeCloud) -> None:
    """The second migration waits for the first: so no host runs out of guarded instances, however slow a cloud is."""
    await traffic.populate(64, HOSTS, per_second=500)
    homes = {uuid: instance["host"] for uuid, instance in cloud.instances.items()}
    assert await traffic.migrate("agent-1", "agent-2", 2) == 2
    assert await traffic.migrate("agent-2", "agent-1", 2) == 2
    await asyncio.sleep(0.1)
    assert {uuid: instance["host"] for uuid, instance in cloud.instances.items()} == homes


async def test_instances_are_paused_for_a_moment(traffic: Traffic, cloud: FakeCloud, tmp_path: Path) -> None:
    """Idle guarded ones, as many as were asked for; each is read to stand still before it is asked to go on."""
    await traffic.populate(64, HOSTS, per_second=500)
    cloud.instances[traffic.pools.guarded[0].uuid]["task_state"] = "resizing"
    assert await traffic.pause(3, seconds=0.1) == 3
    seen = [(r.uuid, r.op, r.saw.get("vm_state")) for r in logged(tmp_path)]
    chosen = {uuid for uuid, op, _ in seen if op == "pause"}
    assert chosen == {one.uuid for one in traffic.pools.guarded[1:4]}
    for uuid in chosen:
        ops = [(op, state) for found, op, state in seen if found == uuid]
        assert ops.index(("pause", "active")) < ops.index(("read", "paused")) < ops.index(("resume", "paused"))
        assert ops[-1] == ("read", "active")


@pytest.mark.parametrize(("broken", "status"), [("reset", 0), ("status", 500)])
async def test_a_failure_is_seen_as_one(
    traffic: Traffic, cloud: FakeCloud, tmp_path: Path, broken: str, status: int
) -> None:
    """A reset connection and a 5xx are logged as they are: failed, uncertain, and not sent again."""
    cloud.broken = broken
    await traffic.client.reboot("uuid-1")
    [request] = logged(tmp_path)
    assert (request.status, request.failed, request.uncertain) == (status, True, True)
    assert len(cloud.requests) == 1


async def test_nobody_listens(journal: Journal, tmp_path: Path) -> None:
    """A refused connection is a failed request, and the client lives on."""
    client = Client(1, journal)
    assert not (await client.flavors()).ok
    assert "ConnectionRefusedError" in logged(tmp_path)[0].error


def test_pools_are_disjoint() -> None:
    """Nobody has two owners, and each host has guarded instances."""
    everyone = [Owned(f"uuid-{n}", HOSTS[n % 2]) for n in range(200)]
    pools = Pools.divide(everyone, HOSTS)
    owners = [one.uuid for pool in (pools.quiet, pools.guarded, pools.owned) for one in pool]
    assert sorted(owners) == sorted(one.uuid for one in everyone)
    assert {one.host for one in pools.guarded} == set(HOSTS)


async def test_the_load_as_a_process(cloud: FakeCloud, tmp_path: Path) -> None:
    """Commands in, answers out; a mistake is answered and does not end it."""
    load = await Loader.start(cloud.port, tmp_path / "load.jsonl")
    try:
        assert await load.do("populate", instances=6, hosts=HOSTS, per_second=500) == 6
        with pytest.raises(LoadBroken, match="received command 'dance'"):
            await load.do("dance")
        assert await load.do("start", rate=50, workers=2) == 2
        await asyncio.sleep(0.3)
        assert await load.do("stop") == len(logged(tmp_path))
    finally:
        await load.end()


async def test_who_is_cancelled_leaves_no_answer_behind(cloud: FakeCloud, tmp_path: Path) -> None:
    """A command whose caller has given up is done all the same, and what is said next gets an answer of its own."""
    load = await Loader.start(cloud.port, tmp_path / "load.jsonl")
    try:
        given_up = asyncio.create_task(load.do("populate", instances=6, hosts=HOSTS, per_second=500))
        while not cloud.requests:
            await asyncio.sleep(0.01)
        given_up.cancel()
        assert await load.do("avoid", host="agent-1") == ["agent-2"]
        assert len(cloud.instances) == 6
    finally:
        await load.end()
