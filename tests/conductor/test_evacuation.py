"""Members that empty their hosts, that sleep, and that ask what they may say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from midflight.conductor.interface import ConductorAPI
from midflight.context import Context
from midflight.errors import DatabaseBusy, NotDelivered, UsageError
from midflight.project import Project, Runtime, Service
from midflight.rpc.client import Client
from midflight.service import RunningService
from tests.conductor import juno, kilo
from tests.conductor.world import CONDUCTOR, World, count_calls, eventually, member

COMPUTE = Client(kilo.ComputeAPI)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def project(evacuate: Any = None) -> tuple[Project, list[Runtime]]:
    """One whose agents have a hook, and what they were given."""
    given: list[Runtime] = []

    @asynccontextmanager
    async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
        given.append(runtime)
        yield [juno.Agent(runtime)]

    made = Project(
        "shop", interfaces=[juno.ComputeAPI], objects=[juno.Disk, juno.Machine, juno.MachineList],
        services=[Service("agent", run, agent=True, evacuate=evacuate)],
    )  # fmt: skip
    return made, given


async def drained(asked: RunningService, of: RunningService, undo: bool = False) -> list[str] | None:
    return await CONDUCTOR.call(ConductorAPI.drain_member, asked.context(), of.id, undo)


async def test_a_host_is_emptied(world: World) -> None:
    """The hook is called again and again until nothing is left, also after it has failed; meanwhile the member is
    draining, and answers who asks it. Undone, it takes work again. Each order is in the journal once."""
    there, calls = ["vm-1", "vm-2"], []

    async def evacuate(runtime: Runtime) -> Sequence[str]:
        calls.append(runtime.host)
        if len(calls) == 1:
            raise RuntimeError("not yet")
        there.pop()
        return there

    made, _ = project(evacuate)
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        conductor = await start(RunningService.running(made, world.config("conductor"), "conductor", "c1"))
        agent = await start(RunningService.running(made, world.config("agent", app={}), "agent", "h1"))
        left = await eventually(lambda: drained(conductor, agent))
        assert left == ["whatever is here: evacuate() failed with RuntimeError: not yet"]
        assert (await member(conductor, agent)).state == "draining"

        async def empty() -> bool:
            return await drained(conductor, agent) == []

        await eventually(empty, seconds=60.0)
        assert set(calls) == {"h1"}
        machine = juno.Machine(name="a")
        assert await Client(juno.ComputeAPI).on("h1").call(juno.ComputeAPI.look, conductor.context(), machine) == "h1"
        assert await drained(conductor, agent, undo=True) == []
        assert (await member(conductor, agent)).state == "active"
        entries = await CONDUCTOR.call(ConductorAPI.journal, conductor.context(), None)
        assert [each.kind for each in entries if "drained" in each.kind] == ["member.drained", "member.undrained"]


async def test_who_chooses_hosts_learns_of_it_at_once(world: World) -> None:
    """Before its next beat; an agent is told nothing, however many there are."""
    made, _ = project()
    slow = {"beat_seconds": 600.0}
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        conductor = await start(RunningService.running(made, world.config("conductor", **slow), "conductor", "c1"))
        first, other = [
            await start(RunningService.running(made, world.config("agent", app={}, **slow), "agent", host))
            for host in ("h1", "h2")
        ]

        async def knows_both() -> bool:
            await conductor.membership.beat()  # its view of the others may be a second old
            return conductor.floors.hosts("compute") == ["h1", "h2"]

        await eventually(knows_both, seconds=60.0)
        heard = count_calls(other)
        for undo, hosts in ((False, ["h2"]), (True, ["h1", "h2"])):
            assert await drained(conductor, first, undo=undo) == []
            await eventually(partial(lambda wanted: conductor.floors.hosts("compute") == wanted, hosts), seconds=60.0)
        assert heard == []


async def test_an_order_stands_though_nobody_can_be_told_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The member drains, and that is in the journal: others learn of it by their beats, and whoever ordered it gets its
    answer."""
    made, _ = project()
    async with (
        RunningService.running(made, world.config("conductor"), "conductor", "c1") as conductor,
        RunningService.running(made, world.config("agent", app={}), "agent", "h1") as agent,
    ):
        busy = DatabaseBusy(url=world.database, seconds=5.0)

        def refuse(*_: object) -> list[str]:
            raise busy

        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr("midflight.conductor.members.of_services", refuse)
            assert await drained(conductor, agent) == []
        assert [each["reason"] for each in logs if each["event"] == "fleet.not_told"] == [str(busy)]
        assert (await member(conductor, agent)).state == "draining"


async def test_a_service_without_a_hook_only_takes_no_new_work(world: World) -> None:
    """There is nothing that the application would have to move; and a stranger is refused."""
    made, _ = project()
    async with (
        RunningService.running(made, world.config("conductor"), "conductor", "c1") as conductor,
        RunningService.running(made, world.config("agent", app={}), "agent", "h1") as agent,
    ):
        assert await drained(conductor, agent) == []
        assert (await member(conductor, agent)).state == "draining"
        with pytest.raises(UsageError, match="no member 'x' to drain"):
            await CONDUCTOR.call(ConductorAPI.drain_member, conductor.context(), "x", False)


async def test_a_sleeper(world: World) -> None:
    """In the block the fleet knows that it sleeps; it joins again when it wakes. Where nobody could hear of it, it does
    not fall asleep."""
    made, given = project()
    async with AsyncExitStack() as stack:
        async with RunningService.running(made, world.config("conductor"), "conductor", "c1") as conductor:
            config = world.config("agent", app={}, call_seconds=3.0)
            agent = await stack.enter_async_context(RunningService.running(made, config, "agent", "h1"))
            async with given[0].asleep():
                assert (await member(conductor, agent)).state == "asleep"
                assert conductor.floors.hosts("compute") in (["h1"], [])
                await eventually(lambda: conductor.floors.hosts("compute") == [])
            assert (await member(conductor, agent)).state == "active"
            await eventually(lambda: conductor.floors.hosts("compute") == ["h1"])
        with pytest.raises(NotDelivered):
            async with given[0].asleep():
                raise AssertionError("asleep, and nobody knows")


async def test_code_asks_before_it_says_something_new(world: World) -> None:
    """What every member of a topic understands, or the one on a host, can be said; the rest would be PinnedOut."""
    async with (
        world.running("conductor", release=kilo),
        world.running("agent", "new", kilo),
        world.running("agent", "old"),
        world.running("api", release=kilo) as api,
    ):
        context = api.context()
        asked = [
            await context.supports(kilo.ComputeAPI.look),
            await context.supports(kilo.ComputeAPI.look, "loud"),
            await context.supports(kilo.ComputeAPI.look, "loud", host="new"),
            await context.supports(kilo.ComputeAPI.look, "loud", host="old"),
            await context.supports(kilo.ComputeAPI.sing),
            await context.supports(kilo.ComputeAPI.sing, host="new"),
        ]
        assert asked == [True, False, True, False, False, True]
        with pytest.raises(UsageError, match=r"received parameter 'quiet', expected one of look's: machine, loud"):
            await context.supports(kilo.ComputeAPI.look, "quiet")


async def test_who_has_no_messenger_has_no_pins() -> None:
    """A context that was made by hand cannot say."""
    with pytest.raises(NotDelivered, match="no messenger"):
        await Context().supports(kilo.ComputeAPI.look)
