"""A console in front of real conductors: what is decided there is done, and is in the journal with who decided it."""

from __future__ import annotations

from pathlib import Path

import pytest

from midflight.conductor.interface import JournalEntry
from midflight.console.sources import FLEET
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports.base import ParkedMessage
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import Operator, operating
from midflight.web.gatherer import Gatherer
from tests.conductor import juno, kilo
from tests.conductor.world import World, eventually
from tests.console.test_acts import console_of, outcome

COMPUTE = Client(kilo.ComputeAPI)
ANN = "Bearer ann's secret"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Services on a memory bus, and a database in a file."""
    return World(tmp_path)


def gatherer(world: World) -> Gatherer:
    """That of a console in this world."""
    return Gatherer(lambda: operating(world.config("agent"), world.project(kilo)), FLEET, shortest=0.05)


async def park(world: World, api: RunningService, operator: Operator, count: int) -> list[ParkedMessage]:
    """An older agent is told what it does not know."""
    async with world.running("agent", "h1", juno):
        for _ in range(count):
            await COMPUTE.on("h1").cast(kilo.ComputeAPI.sing, api.context())

        async def parked() -> list[ParkedMessage]:
            found = await operator.parked()
            return found if len(found) == count else []

        return list(await eventually(parked, 30))


async def test_a_message_is_replayed_and_runs_and_another_is_discarded(world: World) -> None:
    """The journal says who had it done, and through whom."""
    async with (
        world.running("conductor", release=kilo),
        operating(world.config("agent"), world.project(kilo)) as operator,
        world.running("api", "a1", kilo, levels={"compute": "kilo"}) as api,
        console_of(gatherer(world), Aim.latest(world.project(kilo)), Authorization=ANN) as web,
    ):
        first, second = await park(world, api, operator, 2)
        page = (await web.get("/traffic")).text
        assert [f"/act/{act}?message={first.message_id}" in page for act in ("replay", "discard")] == [True, True]
        assert "compute.sing 3.36" not in page.partition('id="rejected"')[0]
        async with world.running("agent", "h1", kilo):
            told = await outcome(web, await web.post("/act/replay", data={"message": first.message_id}))
            assert f"{first.message_id} compute.sing to compute@h1 is sent again" in told
            told = await outcome(web, await web.post("/act/discard", data={"message": second.message_id}))
            assert f"{second.message_id} compute.sing to compute@h1 is discarded" in told

            async def none_left() -> bool:
                return await operator.parked() == []

            await eventually(none_left, 30)
        told = await outcome(web, await web.post("/act/replay", data={"message": first.message_id}))
        assert "there is no parked message" in told
        noted = await decided(operator, "parked")
    assert [(entry.kind, entry.facts["message_id"]) for entry in noted] == [
        ("parked.replayed", first.message_id),
        ("parked.discarded", second.message_id),
    ]
    assert {entry.facts["by"].partition(", through ")[0] for entry in noted} == {"ann"}


async def test_who_holds_a_topic_down_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From what members say they understand, which is asked for once."""
    async with (
        world.running("conductor", release=kilo),
        world.running("agent", "h1", juno),
        world.running("agent", "h2", kilo),
        operating(world.config("agent"), world.project(kilo)) as operator,
        console_of(gatherer(world), Aim.latest(world.project(kilo)), Authorization=ANN) as web,
    ):
        fleet = await operator.fleet()
        known = await operator.manifests(fleet)
        monkeypatch.setattr(operator, "_conductor", None)
        assert await operator.manifests(fleet, known) == known
        assert "auto because agent@h1 (juno): deploy a later release there" in (await web.get("/fleet")).text


async def decided(operator: Operator, kind: str) -> list[JournalEntry]:
    """What the journal says of one kind."""
    return await operator.journal(None, [kind])


async def test_a_data_migration_is_started_paused_and_braked(world: World) -> None:
    """It is the conductors that do it; what makes no sense is refused by them, and nothing of it is written down."""
    world.add(*(f"m{number}" for number in range(5)), boots=-1)
    async with (
        world.running("conductor", release=kilo),
        operating(world.config("agent"), world.project(kilo)) as operator,
        console_of(gatherer(world), Aim.latest(world.project(kilo)), Authorization=ANN) as web,
    ):
        name = {"name": "names_become_notes"}
        refused = await outcome(web, await web.post("/act/data-pause", data=name))
        assert "it is not running in the background" in refused
        for act, done in (("start", "runs"), ("pause", "is paused behind its last chunk"), ("resume", "goes on where")):
            assert f"names_become_notes {done}" in await outcome(web, await web.post(f"/act/data-{act}", data=name))
        assert "the brake is on" in await outcome(web, await web.post("/act/brake", data={"on": "yes"}))
        assert (await operator.fleet()).brake
        assert "The brake is on" in (await web.get("/data")).text
        noted = await decided(operator, "migration")
        acts = [entry for entry in noted if entry.kind.partition(".")[2] in ("start", "pause", "resume")]
        brakes = await decided(operator, "sweeper.brake")
    assert [entry.kind for entry in acts] == ["migration.start", "migration.pause", "migration.resume"]
    assert {entry.facts["by"].partition(", through ")[0] for entry in (*acts, *brakes)} == {"ann"}
