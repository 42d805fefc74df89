"""Guests: scripts and notebooks that block."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

import midflight
from midflight.conductor.interface import ConductorAPI
from midflight.config import Config
from midflight.errors import BrokerUnreachable, ConfigError, NoConductor, NotDelivered, PinnedOut, UsageError
from midflight.guest import Guest, _Loop
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports.embedded import EmbeddedBroker
from tests.conductor import juno, kilo
from tests.conductor.world import BEAT_SECONDS, World, eventually, fleet

T = TypeVar("T")
CONDUCTOR = Client(ConductorAPI)


@pytest.fixture
def world(tmp_path: Path, broker: EmbeddedBroker) -> World:
    """A fleet on a real broker, since a guest has an event loop of its own."""
    world = World(tmp_path)
    world.broker = broker.url
    world.add("a", "b")
    return world


@pytest.fixture
async def conductor(world: World) -> AsyncIterator[RunningService]:
    async with world.running("conductor") as conductor:
        yield conductor


def script(world: World, work: Callable[[Guest], T], release: Any = juno, **values: str) -> asyncio.Future[T]:
    """Run this as a script would, beside the fleet."""

    def run() -> T:
        with midflight.connect(world.project(release), world.config("agent"), **values) as guest:
            return work(guest)

    return asyncio.ensure_future(asyncio.to_thread(run))


async def test_a_script_calls_and_casts(world: World, conductor: RunningService) -> None:
    """It blocks for the answer of a call, is done with a cast when the broker has it, and reaches one host or all."""
    async with world.running("agent", "h1", app={}) as agent, world.running("agent", "h2", app={}):
        seen = _agent(agent)

        def work(guest: Guest) -> list[str]:
            machine = juno.Machine(name="a")
            guest.on("h1").cast(juno.ComputeAPI.look, juno.Machine(name="cast"))
            guest.fanout(juno.ComputeAPI.look, juno.Machine(name="fanout"))
            hosts = [guest.on(host).within(3).call(juno.ComputeAPI.look, machine) for host in ("h1", "h2")]
            return [*hosts, guest.on("h1").on(None).call(juno.ComputeAPI.look, machine=juno.Machine(name="any"))]

        first, second, third = await script(world, work)
        assert (first, second) == ("h1", "h2")
        assert third in ("h1", "h2")
        await eventually(lambda: {"a", "cast", "fanout"} <= {machine.name for machine in seen()})


def _agent(running: RunningService) -> Callable[[], list[juno.Machine]]:
    _, implementation = running._dispatcher._serving["compute"]
    return lambda: implementation.looked


async def test_remotables_run_on_a_conductor(world: World, conductor: RunningService) -> None:
    """A script loads, changes and saves what the database has; errors of the project cross to it."""

    def work(guest: Guest) -> tuple[list[str], int]:
        machine = guest.run(juno.Machine.get(guest.context, "a"))
        machine.host = "h7"
        saved = guest.run(machine.save())
        return saved, guest.run(machine.boot(2))

    assert await script(world, work) == (["host"], 2)
    with pytest.raises(juno.OutOfOrder):
        await script(world, lambda guest: guest.run(_broken(guest)))


async def _broken(guest: Guest) -> int:
    machine = await juno.Machine.get(guest.context, "b")
    machine.host = None
    return await machine.boot()


async def test_a_guest_is_no_member(world: World, conductor: RunningService) -> None:
    """Nobody counts it; its contexts have the values that it was made with."""

    def work(guest: Guest) -> tuple[dict[str, str], list[str]]:
        values = dict(guest.with_values(project="p1").context.values)
        found = guest.call(ConductorAPI.fleet)
        return values, [member.service for member in found.members]

    values, services = await script(world, work, user="ada")
    assert values == {"user": "ada", "project": "p1"}
    assert services == ["conductor"]
    assert [member.service for member in (await fleet(conductor)).members] == ["conductor"]


async def test_what_is_gone_through_asynchronously_is_gone_through(world: World, conductor: RunningService) -> None:
    """Each item blocks until it is there; a script that stops early closes what it went through."""
    closed: list[int] = []

    async def names(context: Any, *wanted: str) -> AsyncIterator[str]:
        for number, name in enumerate(wanted):
            try:
                yield (await juno.Machine.get(context, name)).name
            except GeneratorExit:
                closed.append(number)
                raise

    def work(guest: Guest) -> tuple[list[str], str]:
        found = list(guest.each(names(guest.context, "a", "b")))
        early = guest.each(names(guest.context, "b", "a"))
        first = next(early)
        early.close()
        return found, first

    assert await script(world, work) == (["a", "b"], "b")
    assert closed == [0]


async def test_a_notebook_with_a_running_loop(world: World, conductor: RunningService) -> None:
    """It works the same where a loop runs already."""

    def work(guest: Guest) -> str:
        async def cell() -> str:
            return guest.run(juno.Machine.get(guest.context, "a")).name

        return asyncio.run(cell())

    assert await script(world, work) == "a"


async def test_it_speaks_as_the_fleet_understands(world: World, conductor: RunningService) -> None:
    """A newer script speaks to older members in their versions, and is told what they cannot take."""

    def work(guest: Guest) -> str:
        machine = guest.run(kilo.Machine.get(guest.context, "a"))
        host = guest.call(kilo.ComputeAPI.look, machine)
        with pytest.raises(PinnedOut, match="loud"):
            guest.call(kilo.ComputeAPI.look, machine, loud=True)
        return host

    async with world.running("agent", "h1", app={}):
        assert await script(world, work, kilo) == "h1"


async def test_it_obeys_the_pins_of_the_fleet(world: World) -> None:
    """A pin holds for a guest as for a member; when it goes, a guest that stays sees that at its next look."""
    pinned, cleared = threading.Event(), threading.Event()

    def work(guest: Guest) -> tuple[str, str]:
        machine = kilo.Machine(name="a")
        with pytest.raises(PinnedOut, match="loud"):
            guest.call(kilo.ComputeAPI.look, machine, loud=True)
        pinned.set()
        assert cleared.wait(60)
        patience = time.monotonic() + 60
        while time.monotonic() < patience:
            with suppress(PinnedOut):
                return guest.call(kilo.ComputeAPI.look, machine, loud=True), "after"
            time.sleep(BEAT_SECONDS)
        raise AssertionError("it never saw that the pin is gone")

    async with world.running("conductor", release=kilo) as conductor, world.running("agent", "h1", kilo, app={}):
        await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), "*", "juno")
        running = script(world, work, kilo)
        await asyncio.to_thread(pinned.wait, 60)
        await CONDUCTOR.call(ConductorAPI.clear_pin, conductor.context(), "*")
        cleared.set()
        assert (await running)[1] == "after"


async def test_a_pin_that_it_does_not_know(world: World) -> None:
    """Under a pin to a release that neither its project nor any member knows, a guest does not connect."""
    async with world.running("conductor", release=kilo) as conductor:
        await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), "*", "juno")
        config, stranger = world.config("agent"), kilo.project()
        with pytest.raises(UsageError, match="pin 'juno'"):
            await asyncio.to_thread(midflight.connect, stranger, config)
        async with world.running("agent", "h1", app={}):
            guest = await asyncio.to_thread(midflight.connect, stranger, config)
            found = guest._visit.floors.manifest_for("compute")["compute"]
            assert found == world.project(juno).contract.manifest["compute"]
            await asyncio.to_thread(guest.close)


async def test_no_conductor(world: World) -> None:
    """Where nobody can tell how the fleet stands, there is no connection; one that stands goes on without."""
    config, impatient = world.config("agent", call_seconds=60.0), world.config("agent", call_seconds=0.3)
    with pytest.raises(NoConductor, match=r"project shop .*midflight run conductor"):
        await asyncio.to_thread(midflight.connect, world.project(), impatient)
    async with AsyncExitStack() as agents:
        async with world.running("conductor") as conductor:
            await agents.enter_async_context(world.running("agent", "h1", app={}))
            await eventually(lambda: conductor.floors.hosts("compute"))
            guest = await asyncio.to_thread(midflight.connect, world.project(), config)
        await asyncio.sleep(config.beat_seconds)
        look = juno.ComputeAPI.look
        assert await asyncio.to_thread(guest.call, look, juno.Machine(name="a")) == "h1"
        with pytest.raises(NotDelivered):
            await asyncio.to_thread(guest.on("h9").within(0.3).call, look, juno.Machine(name="a"))
        await asyncio.to_thread(guest.close)


async def test_closed(world: World, conductor: RunningService) -> None:
    """Closing twice does no harm; a closed connection says so, and its thread has ended."""
    guest = await asyncio.to_thread(midflight.connect, world.project(), world.config("agent"))
    for _ in range(2):
        await asyncio.to_thread(guest.close)
    with pytest.raises(RuntimeError, match="closed: connect again"):
        guest.on("h1").run(juno.Machine.get(guest.context, "a"))
    assert "midflight guest" not in {thread.name for thread in threading.enumerate()}


def test_no_broker(tmp_path: Path) -> None:
    """Whatever keeps it from connecting is one clear error, and leaves nothing behind."""
    path = tmp_path / "midflight.toml"
    with pytest.raises(ConfigError, match="midflight.toml"):
        midflight.connect(juno.project(), path)
    for broker, error, said in (
        ("nats://127.0.0.1:1", BrokerUnreachable, "127.0.0.1:1"),
        ("memory:x", ConfigError, r"\[midflight\] broker: memory: is for one event loop"),
    ):
        path.write_text(f'[midflight]\nproject = "x:y"\nbroker = "{broker}"\n')
        for config in (Config.load(path, {}), path, str(path)):
            with pytest.raises(error, match=said):
                midflight.connect(juno.project(), config)
    assert "midflight guest" not in {thread.name for thread in threading.enumerate()}


async def test_closed_while_another_thread_waits() -> None:
    """Whoever still waits when the connection is closed is told that nothing comes."""
    loop, begun = _Loop(), threading.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(60)

    waiting = asyncio.ensure_future(asyncio.to_thread(loop.run, wait()))
    assert await asyncio.to_thread(begun.wait, 60)
    await asyncio.to_thread(loop.close)
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_an_interrupt_takes_the_work_back() -> None:
    """Whoever presses Ctrl-C while waiting gets the prompt back, and the work is cancelled."""
    loop, ended = _Loop(), threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            loop.run(work())
        assert ended.wait(60)
    finally:
        signal.signal(signal.SIGALRM, before)
        loop.close()
