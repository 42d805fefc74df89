"""What an upgrade will cost, told before, and held against what it cost."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from midflight import telemetry
from midflight.conductor.interface import Fleet
from midflight.conductor.traffic import minute_of
from midflight.db.clock import now
from midflight.service import RunningService
from midflight.upgrade import gates
from midflight.upgrade.aim import Aim
from midflight.upgrade.forecast import forecast
from midflight.upgrade.operator import operating
from midflight.upgrade.verdict import Status
from midflight.versions import Manifest, Version
from tests.conductor import juno, kilo
from tests.conductor.world import World
from tests.upgrade.fleets import KILO, fleet, member, traffic, words

OLD = Manifest({"Machine": Version(1, 0), "Disk": Version(1, 0), "Port": Version(1, 0)})
NEW = Manifest({"Machine": Version(1, 1), "Disk": Version(1, 1), "Port": Version(1, 0)})
AIM = replace(
    KILO,
    services=frozenset({"api", "compute"}),
    manifests={"juno": OLD, "kilo": NEW},
    rewrites={"Disk": (Version(1, 1),)},
)


def counted(*reads: tuple[str, str, int], conductors: int = 1) -> Fleet:
    """A fleet of juno in which so many objects were read in a minute: (object, reader, how many)."""
    told: dict[str, dict[str, int]] = {}
    for name, reader, number in reads:
        told.setdefault(name, {})[reader] = number
    members = [member("conductor", f"c{number}", manifest="old") for number in range(conductors)]
    agents = [member("compute", "n1", manifest="old"), member("compute", "n2", "kilo", manifest="new")]
    return fleet(*members, *agents, traffic=[traffic(1, 600, reads=told), traffic(60)])


def test_what_older_agents_read_in_another_version_is_translated() -> None:
    """Not what is the same in both releases, nor what is read by who is new, or will be when the conductors are."""
    read = counted(
        ("Machine", "compute old", 600), ("Disk", "compute old", 60), ("Port", "compute old", 900),
        ("Machine", "compute new", 300), ("Machine", "api old", 300), ("Stranger", "compute old", 300),
    )  # fmt: skip
    found = forecast(read, AIM)
    assert found.by_object == {"Machine": 10.0, "Disk": 1.0}
    assert (found.translations, found.conductors, found.add) == (11.0, 1, 0)


def test_who_is_no_member_is_taken_for_the_release_before() -> None:
    """A guest or a script is upgraded when somebody thinks of it."""
    assert forecast(counted(("Machine", "guest 12345", 60)), AIM).by_object == {"Machine": 1.0}


def test_the_busier_time_counts() -> None:
    """An upgrade at night is felt the next day."""
    quiet = counted(("Machine", "compute old", 60))
    quiet.traffic = [quiet.traffic[0], traffic(60, 36000, reads={"Machine": {"compute old": 36000}})]
    assert forecast(quiet, AIM).by_object == {"Machine": 10.0}


def test_a_named_backport_costs_more_and_conductors_are_added() -> None:
    """So many that none spends more than a quarter of its core on translations."""
    plain, named = (counted((name, "compute old", 600_000)) for name in ("Machine", "Disk"))
    assert forecast(plain, AIM).cores == pytest.approx(0.03)
    assert forecast(named, AIM).cores == pytest.approx(0.6)
    assert (forecast(plain, AIM).add, forecast(named, AIM).add) == (0, 2)
    assert forecast(counted(("Disk", "compute old", 600_000), conductors=3), AIM).add == 0


def test_prepare_says_what_the_upgrade_will_cost() -> None:
    """With the conductors to add, as a warning; without traffic there is nothing to tell it from."""
    verdict = gates.prepare(counted(("Disk", "compute old", 600_000)), AIM)
    assert words(verdict, Status.WARN) == [
        "while agents are old, 10000.0 objects a second will be translated: 60.0% of a core, with 1 conductor"
    ]
    assert verdict.way_out == ("start 2 more conductors before step 3",)
    nothing = gates.prepare(fleet(member("api", "web"), traffic=[traffic(0), traffic(0)]), AIM)
    assert "nothing was counted yet from which the cost of the upgrade could be told" in words(nothing, Status.PASS)


async def load(world: World, agent: RunningService, seed: int) -> None:
    """What agents do all day, in another order each time: they read machines, lists of them, and save."""
    chosen = random.Random(seed)
    for _ in range(60):
        name = f"m{chosen.randrange(5)}"
        machine = await juno.Machine.get(agent.context(), name=name)
        if chosen.random() < 0.3:
            machine.boots += 1
            await machine.save()
        if chosen.random() < 0.2:
            await juno.MachineList.get_by_host(agent.context(), host="h1")


def translated() -> int:
    """How many objects this process has written in an older version in replies, ever."""
    counted = telemetry.counted()
    return sum(each["value"] for each in counted if each["name"] == "objects.backport" and each["where"] == "reply")


async def test_the_forecast_is_held_against_the_upgrade(tmp_path: Path) -> None:
    """A minute of juno is counted; the conductor becomes kilo, and another minute like it costs what was said, within
    30 %. Nothing was translated before."""
    world = World(tmp_path)
    begun = translated()
    async with world.running("conductor", "c1", juno) as before, world.running("agent", release=juno) as agent:
        for number in range(5):
            disk = juno.Disk(gigabytes=number)
            await juno.Machine(name=f"m{number}", host="h1", disk=disk, context=agent.context()).create()
        assert before.server is not None
        await before.server.rounds.go(0)
        await load(world, agent, seed=1)
        await before.server.rounds.go(minute_of(now().timestamp()) - 1)
        async with operating(world.config("agent"), world.project(kilo)) as operator:
            told = forecast(await operator.fleet(), Aim.of(world.project(kilo), "kilo"))
    assert translated() == begun
    async with world.running("conductor", "c1", kilo), world.running("agent", release=juno) as agent:
        await load(world, agent, seed=2)
    measured = translated() - begun
    assert measured > 100
    assert told.translations * 60 == pytest.approx(measured, rel=0.3)
    assert set(told.by_object) == {"Machine", "Disk"}
