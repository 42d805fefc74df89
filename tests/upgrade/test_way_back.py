"""A small fleet goes to kilo step by step, and at each step back first: the plan's ways back are edges that hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from midflight.conductor.interface import Fleet
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import OutsideWindow, StepBlocked
from midflight.service import RunningService
from midflight.upgrade import gates, kinds, plan, roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import watching
from midflight.upgrade.finalize import finalize
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.verdict import Fact, Status, Verdict
from midflight.upgrade.watch import watch
from tests.conductor import juno, kilo
from tests.conductor.world import World, eventually

NAME = "names_become_notes"
MACHINES = ("m1", "m2", "m3")


class Small:
    """A conductor, an api and two agents; and the operator, who works from kilo's copy."""

    def __init__(self, world: World, operator: Operator) -> None:
        self.world, self.operator = world, operator
        self.aim = replace(Aim.of(world.project(kilo), "kilo"), breaks=())  # its releases are frozen by number only
        self._running: dict[str, tuple[AbstractAsyncContextManager[RunningService], RunningService]] = {}
        self.boots = 0

    async def deploy(self, service: str, host: str, release: ModuleType) -> None:
        """In the place of what runs there, if anything does."""
        await self.stop(service, host)
        manager = self.world.running(service, host, release)
        self._running[f"{service}@{host}"] = manager, await manager.__aenter__()

    async def stop(self, service: str, host: str) -> None:
        before = self._running.pop(f"{service}@{host}", None)
        if before is not None:
            await before[0].__aexit__(None, None, None)

    async def stop_all(self) -> None:
        for name in reversed(list(self._running)):
            await self.stop(*name.split("@"))

    async def control(self, release: ModuleType) -> None:
        await self.deploy("conductor", "c1", release)
        await self.deploy("api", "web", release)

    async def agents(self, release: ModuleType) -> None:
        for host in ("h1", "h2"):
            await self.deploy("agent", host, release)

    async def works(self) -> None:
        """Every agent reads a machine and saves it, and nothing of what was saved before is gone."""
        for name in ("agent@h1", "agent@h2"):
            running = self._running[name][1]
            release = juno if running.release == "juno" else kilo
            machine = await release.Machine.get(running.context(), name="m1")
            assert machine.boots == self.boots
            self.boots += 1
            machine.boots = self.boots
            await machine.save()

    async def here(self) -> str:
        """The step that comes next."""
        number = plan.here(await self.operator.fleet(), self.aim)
        return plan.STEPS[number].name if number < len(plan.STEPS) else "done"

    async def is_at(self, step: str) -> None:
        """Wait until that step comes next: a member may be lost for a look while the control services change."""

        async def arrived() -> bool:
            return await self.here() == step

        await eventually(arrived, 30.0)

    async def whole(self) -> Fleet:
        """The fleet in a look that finds nobody lost."""

        async def looked() -> Fleet | None:
            fleet = await self.operator.fleet()
            return None if roster.lost(fleet) else fleet

        fleet: Fleet = await eventually(looked, 30.0)
        return fleet

    async def ask(self, gate: Any, **how: Any) -> Verdict:
        verdict: Verdict = gate(await self.operator.fleet(), self.aim, **how)
        return verdict

    async def passes(self, gate: Any, **how: Any) -> None:
        async def passed() -> bool:
            return (await self.ask(gate, **how)).status.value == "pass"

        await eventually(passed, 30.0)

    async def says(self, status: str, name: str, gate: Any, **how: Any) -> None:
        """Wait until that is what the gate says, first because of the fact of that name."""

        async def said() -> bool:
            verdict = await self.ask(gate, **how)
            return (verdict.status.value, verdict.because[0].name) == (status, name)

        await eventually(said, 30.0)

    async def pinned(self, release: str | None) -> None:
        """Set or clear the pin, and wait for everybody."""
        setting = self.operator.set_pin("*", release) if release else self.operator.clear_pin("*")
        assert await self.operator.wait_for(await setting, 30.0) == []

    async def drain_rows(self) -> None:
        while (await self.operator.sweep(NAME, 2)).more:
            pass


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Small]:
    world = World(tmp_path)
    world.add(*MACHINES)
    async with operating(world.config("agent"), world.project(kilo)) as operator:
        made = Small(world, operator)
        await made.control(juno)
        await made.agents(juno)
        yield made
        await made.stop_all()


async def test_at_each_step_the_fleet_can_go_back_and_on_again(small: Small) -> None:
    """After each do, each undo and each redo, every agent works, and the plan says where the fleet is."""
    await small.is_at("schema")
    await small.passes(gates.prepare)
    await small.works()

    # 1 schema: no way back is needed, the release before works on
    SchemaRunner(small.world.database, None, None, "kilo").expand()
    await small.is_at("pin")
    await small.works()

    # 2 pin
    for release, step in (("juno", "control"), (None, "pin"), ("juno", "control")):
        await small.pinned(release)
        await small.is_at(step)
        await small.works()
    await small.passes(gates.pin)

    # 3 control: in one order there, in the same back, and there again
    for release, step in ((kilo, "soak"), (juno, "control"), (kilo, "soak")):
        await small.control(release)
        await small.is_at(step)
        await small.works()
    await small.passes(gates.control)

    # 4 soak: its way back is that of step 3
    await small.passes(gates.soak, window=0.0)
    await small.control(juno)
    await small.says("unknown", "watched", gates.soak, window=0.0)
    await small.works()
    await small.control(kilo)

    # 5 roll: each agent alone
    for release, step in ((kilo, "roll"), (juno, "soak"), (kilo, "roll")):
        await small.deploy("agent", "h1", release)
        await small.is_at(step)
        await small.works()
    await small.says("fail", "arrived:member", gates.finalize)
    await small.deploy("agent", "h2", kilo)
    await small.passes(gates.roll)

    # 6 unpin
    for pin, step in ((None, "data"), ("juno", "unpin"), (None, "data")):
        await small.pinned(pin)
        await small.is_at(step)
        await small.works()
    await small.passes(gates.unpin)

    # 7 data: stopped in the middle, even a juno may come back, and what it writes is moved after all
    await small.operator.sweep(NAME, 1)
    await small.control(juno)
    await small.works()
    await small.control(kilo)
    await small.drain_rows()
    await small.passes(gates.data)

    # 8 finalize: there is no way back, and whoever tries it is told so
    await finalize(small.operator, small.aim, wait=30.0, tell=lambda _: None)
    await small.is_at("done")
    await small.works()
    with pytest.raises(StepBlocked, match="there is no way back from 'new'"):
        await small.operator.advance_form(NAME, "both, read old")
    with pytest.raises(OutsideWindow, match="only kilo and later can read"):
        await small.deploy("conductor", "c2", juno)


async def upgraded(small: Small) -> None:
    """All but the last step."""
    SchemaRunner(small.world.database, None, None, "kilo").expand()
    await small.control(kilo)
    await small.agents(kilo)
    await small.drain_rows()


async def test_two_operators_who_finalize_at_once_both_hear_that_it_is_done(small: Small) -> None:
    """Each form is set once, and the floor rises once."""
    await upgraded(small)
    told: list[list[str]] = [[], []]
    async with operating(small.world.config("agent"), small.world.project(kilo)) as other:
        await asyncio.gather(
            *(
                finalize(operator, small.aim, wait=30.0, tell=said.append)
                for operator, said in zip((small.operator, other), told, strict=True)
            )
        )
    for said in told:
        assert said[-1] == "store floor: kilo; releases before it can no longer open the database"
    entries = await small.operator.journal(None, ["form", "store_floor"], 100)
    assert [entry.facts.get("new") for entry in entries if entry.kind == "form.advanced"] == ["both, read new", "new"]
    assert [entry.kind for entry in entries].count("store_floor.raised") == 1


async def test_finalize_that_was_killed_goes_on_when_it_is_asked_again(small: Small) -> None:
    """After each of its acts: what is done stays, and what is told in the end is true."""
    await upgraded(small)

    class Killed(BaseException):
        pass

    def killed_after(lines: int) -> Callable[[str], None]:
        left = [lines]

        def tell(_: str) -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed

        return tell

    for lines in (1, 2, 2):  # the proof; 'both, read new'; 'new'
        await small.is_at("finalize")
        with pytest.raises(Killed):
            await finalize(small.operator, small.aim, wait=30.0, tell=killed_after(lines))
    await finalize(small.operator, small.aim, wait=30.0, tell=lambda _: None)
    await small.is_at("done")
    advanced = await small.operator.journal(None, ["form.advanced"], 100)
    assert [entry.facts["new"] for entry in advanced] == ["both, read new", "new"]


async def test_who_did_it_is_in_the_journal(small: Small) -> None:
    """The operator, by the word of the broker; what nobody asked for has no name."""
    await small.pinned("juno")
    await small.operator.note(await small.ask(gates.pin), "kilo")
    pinned, checked = await small.operator.journal(None, ["pin", "gate"], 10)
    assert [entry.kind for entry in (pinned, checked)] == ["pin.set", "gate.checked"]
    for entry in (pinned, checked):
        assert entry.facts["by"].startswith("operator@")
        assert entry.facts["by"].endswith("(kilo)")
    (tested, *_) = await small.operator.journal(None, ["member.tested"], 10)
    assert "by" not in tested.facts
    assert [entry.id for entry in await small.operator.journal(pinned.id, ["pin", "gate"], 10)] == [checked.id]


async def test_a_risk_is_taken_until_it_is_withdrawn(small: Small) -> None:
    """Over the wire: the fact is a warning with its reason meanwhile."""
    await small.operator.set_pin("*", "juno")
    fleet = await small.whole()
    fleet.health = {"oldest transaction": [900.0, 300.0]}
    assert gates.prepare(fleet, small.aim).status.value == "fail"
    await small.operator.acknowledge("database:oldest-transaction", "the nightly export", 3600.0)
    fleet.acknowledged = (await small.operator.fleet()).acknowledged
    verdict = gates.prepare(fleet, small.aim)
    assert verdict.status.value == "warn"
    assert "the nightly export" in verdict.because[0].words
    await small.operator.withdraw("database:oldest-transaction")
    assert (await small.operator.fleet()).acknowledged == []


async def test_a_soak_whose_command_is_killed_goes_on_in_the_next(small: Small) -> None:
    """The journal has its looks; a look that was not clean ends it for both."""
    await small.pinned("juno")
    await small.control(kilo)
    step = plan.STEPS[4]
    note = partial(small.operator.note, target="kilo", soaks=True)
    soaking = asyncio.create_task(  # for longer than its window: a look that finds a member lost does not end it
        watch(small.operator.fleet, small.aim, step, wait=7200.0, window=3600.0, note=note)
    )

    async def clean_for() -> float:
        return watching.soaked(await small.operator.fleet(), "kilo")

    assert await eventually(clean_for, 30.0) > 0
    soaking.cancel()
    await asyncio.wait({soaking})
    before = await clean_for()
    verdict = await watch(small.operator.fleet, small.aim, step, wait=60.0, window=before, note=note)
    assert verdict.status.value == "pass"
    dirty = Verdict.of("soak", [Fact(Status.FAIL, "somebody is lost", kind=kinds.LOST)])
    await note(dirty)
    assert await clean_for() == 0.0
