"""A fleet in one process: what a test can do to it, and what its members notice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from midflight.errors import NotDelivered, PinnedOut, Unknown, UsageError, VersionRejected
from midflight.migrations.online import Row, RowContext, data_migration
from midflight.project import Project
from midflight.testing import LocalFleet, LocalMember
from tests.conductor.world import eventually
from tests.testing.stores import CLERKS, Clerk, ClerkAPI, Crate, store


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[LocalFleet]:
    """A conductor, and nobody else yet."""
    async with LocalFleet(store(tmp_path / "releases"), tmp_path) as fleet:
        await fleet.start("conductor")
        yield fleet


@pytest.fixture
async def clerk(fleet: LocalFleet) -> Clerk:
    """One that runs on h1, for whom a test may look."""
    clerk = Clerk("h1")
    await fleet.start("clerk", serving=[clerk])
    return clerk


@pytest.fixture
async def desk(fleet: LocalFleet) -> LocalMember:
    """Started last, where there is a clerk as well: it knows all others."""
    return await fleet.start("desk")


def member(fleet: LocalFleet, service: str) -> LocalMember:
    (found,) = [each for each in fleet.members if each.service == service]
    return found


async def test_members_meet_each_other(fleet: LocalFleet, desk: LocalMember) -> None:
    """A service runs as the project declares it, and is called by the others; both may stop at any time."""
    clerk = await fleet.start("clerk", "attic")
    assert await CLERKS.call(ClerkAPI.put, desk.context(), Crate(number=1, label="cups")) == "attic has 1 cups"
    await clerk.stop()
    await clerk.stop()
    with pytest.raises(NotDelivered):
        await CLERKS.on("attic").call(ClerkAPI.put, desk.context(), Crate(number=2))


async def test_a_start_that_fails_says_why(fleet: LocalFleet) -> None:
    """With the service's own error, and nobody is left behind."""
    with pytest.raises(UsageError, match="received host 'the attic'"):
        await fleet.start("clerk", "the attic")
    assert [each.service for each in fleet.members] == ["conductor"]


async def test_casts_have_run_when_a_fleet_is_settled(fleet: LocalFleet, clerk: Clerk, desk: LocalMember) -> None:
    """All of them, and each once."""
    for number in range(50):
        await CLERKS.cast(ClerkAPI.put, desk.context(), Crate(number=number))
    await fleet.settled()
    assert sorted(crate.number for crate in clerk.crates) == [*range(50)]


async def test_who_is_cut_off_is_not_reached_and_casts_wait(fleet: LocalFleet, clerk: Clerk, desk: LocalMember) -> None:
    """A call is NotDelivered; a cast runs when the network is mended."""
    member(fleet, "clerk").partition()
    with pytest.raises(NotDelivered):
        await CLERKS.within(0.2).call(ClerkAPI.put, desk.context(), Crate(number=1))
    await CLERKS.cast(ClerkAPI.put, desk.context(), Crate(number=2))
    await fleet.settled()
    assert clerk.crates == []
    member(fleet, "clerk").heal()
    await fleet.settled()
    assert [crate.number for crate in clerk.crates] == [2]


async def test_who_is_cut_off_reaches_nobody(fleet: LocalFleet, clerk: Clerk, desk: LocalMember) -> None:
    """Its calls are certainly not executed, and its casts are not accepted."""
    desk.partition()
    with pytest.raises(NotDelivered):
        await CLERKS.within(0.2).call(ClerkAPI.put, desk.context(), Crate(number=1))
    with pytest.raises((NotDelivered, Unknown)):
        await CLERKS.cast(ClerkAPI.put, desk.context(), Crate(number=2))
    desk.heal()
    await fleet.settled()
    assert clerk.crates == []


async def test_who_is_replaced_has_a_whole_network(fleet: LocalFleet, clerk: Clerk, desk: LocalMember) -> None:
    """Whatever was done to the one before on that host; what waited for that one runs there, once."""
    before = member(fleet, "clerk")
    before.partition()
    before.delay(3600)
    before.duplicate()
    await CLERKS.cast(ClerkAPI.put, desk.context(), Crate(number=1))
    await before.stop()
    successor = Clerk("h1")
    async with asyncio.timeout(60):
        await fleet.start("clerk", serving=[successor])
    assert await CLERKS.on("h1").call(ClerkAPI.put, desk.context(), Crate(number=2)) == "h1 has 2"
    await fleet.settled()
    assert sorted(crate.number for crate in successor.crates) == [1, 2]
    assert clerk.crates == []


async def test_who_leaves_mends_no_network_of_who_is_there_already(fleet: LocalFleet, desk: LocalMember) -> None:
    """Two members of one service on one host share it."""
    successor = await fleet.start("desk")
    successor.partition()
    await desk.stop()
    assert not successor.hears


async def test_a_start_that_takes_too_long_leaves_nobody_behind(fleet: LocalFleet) -> None:
    """It is given up as any other work that is cancelled."""
    conductor = member(fleet, "conductor")
    conductor.partition()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await fleet.start("clerk")
    assert fleet.members == [conductor]
    lives = [task for task in asyncio.all_tasks() if "LocalMember.started" in repr(task.get_coro())]
    assert lives == [conductor._life]


async def test_work_in_hand_becomes_unknown_behind_a_broken_network(
    fleet: LocalFleet, clerk: Clerk, desk: LocalMember
) -> None:
    """Its caller does not hear that it was done."""
    asking = asyncio.create_task(CLERKS.within(60).call(ClerkAPI.work, desk.context()))
    async with asyncio.timeout(60):
        await clerk.begun.wait()
    member(fleet, "clerk").partition()
    clerk.done.set()
    with pytest.raises(Unknown):
        await asking


async def test_a_slow_network_is_slow_both_ways(fleet: LocalFleet, clerk: Clerk, desk: LocalMember) -> None:
    """What waits less long than that hears nothing; whoever waits long enough does."""
    member(fleet, "clerk").delay(0.2)
    with pytest.raises(Unknown):
        await CLERKS.within(0.3).call(ClerkAPI.put, desk.context(), Crate(number=1))
    assert await CLERKS.within(60).call(ClerkAPI.put, desk.context(), Crate(number=2)) == "h1 has 2"


async def test_what_comes_twice_runs_once(fleet: LocalFleet, clerk: Clerk, desk: LocalMember) -> None:
    """Calls and casts."""
    member(fleet, "clerk").duplicate()
    await CLERKS.call(ClerkAPI.put, desk.context(), Crate(number=1))
    await CLERKS.cast(ClerkAPI.put, desk.context(), Crate(number=2))
    await fleet.settled()
    assert [crate.number for crate in clerk.crates] == [1, 2]


async def test_a_skewed_member_is_spoken_to_as_one_of_its_release(fleet: LocalFleet, desk: LocalMember) -> None:
    """It gets what juno had, calls for what juno lacked are pinned out, and the fleet sees a member of juno."""
    clerk = Clerk("old")
    older = await fleet.start("clerk", "old", speaks="juno", serving=[clerk])
    assert older.release == "juno"
    assert await CLERKS.on("old").call(ClerkAPI.put, desk.context(), Crate(number=1)) == "old has 1"
    loud = Crate(number=2)
    loud.label = "cups"
    with pytest.raises(PinnedOut, match="label"):
        await CLERKS.on("old").call(ClerkAPI.put, desk.context(), loud)
    with pytest.raises(PinnedOut, match="fetch"):
        await CLERKS.on("old").call(ClerkAPI.fetch, desk.context())


async def test_a_skewed_member_rejects_what_its_release_did_not_know(fleet: LocalFleet, clerk: Clerk) -> None:
    """As where a pin was forgotten: whoever believes it new is told both versions."""
    await fleet.start("clerk", "old", speaks="juno")
    forward = await fleet.start("desk", "eager")
    forward._running.floors.override({"clerk": forward._running.contract.manifest})
    with pytest.raises(VersionRejected, match=r"clerk\.fetch"):
        await CLERKS.on("old").call(ClerkAPI.fetch, forward.context())


async def test_a_drained_member_takes_no_new_work(fleet: LocalFleet, desk: LocalMember) -> None:
    """As after an operator's word; it may be taken back."""
    clerk = await fleet.start("clerk", "attic")
    assert await clerk.drain() == []
    await eventually(lambda: desk._running.floors.hosts("clerk") == [])
    await clerk.undrain()
    await eventually(lambda: desk._running.floors.hosts("clerk") == ["attic"])


@data_migration(release="kilo", table="crates", key="id")
def crate_labels(row: Row, context: RowContext) -> dict[str, Any]:
    """Whatever; it never runs."""
    return {}


async def test_each_fleet_has_the_migrations_of_its_project(tmp_path: Path) -> None:
    """Also where another project of that name and schema was there before, without them."""
    for number, migrations in enumerate(([], [crate_labels])):
        (folder := tmp_path / str(number)).mkdir()
        async with LocalFleet(Project("store", migrations=migrations), folder):
            with closing(sqlite3.connect(folder / "fleet.db")) as rows:
                found = rows.execute("SELECT name FROM mf_forms").fetchall()
        assert found == [(each.name,) for each in migrations]


async def test_a_network_that_others_use_is_not_cut(tmp_path: Path) -> None:
    """A fleet with a broker of its own says what to leave out."""
    async with LocalFleet(store(tmp_path / "releases"), tmp_path, broker="memory:shared") as fleet:
        conductor = await fleet.start("conductor")
        with pytest.raises(UsageError, match=r"leave out broker"):
            conductor.partition()
        with pytest.raises(UsageError, match="does not see all"):
            await fleet.settled()
