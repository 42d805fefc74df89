"""A service process from its start to its end."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from midflight import service, telemetry
from midflight.config import Config
from midflight.errors import (
    BrokerUnreachable,
    ConfigError,
    DatabaseForbidden,
    MidflightError,
    NotDelivered,
    ProjectError,
    SchemaTooOld,
    UsageError,
)
from midflight.project import Project, Runtime, Service
from midflight.rpc.client import Client
from midflight.service import RunningService
from tests.conductor import juno, kilo
from tests.conductor.conftest import world
from tests.conductor.tables import metadata
from tests.conductor.world import World, eventually, fleet, member

__all__ = ["world"]

COMPUTE = Client(juno.ComputeAPI)


def gates() -> dict[str, Any]:
    return {"gates": {"entered": asyncio.Event(), "release": asyncio.Event()}}


async def test_order_of_start_and_stop(world: World) -> None:
    """A service says first that it starts, with the code that it really runs, and last that it stopped."""
    telemetry.count("test.started")
    with capture_logs() as logs:
        async with world.running("conductor"):
            pass
    events = [log["event"] for log in logs if log["event"].startswith(("service.", "fleet."))]
    assert events == [
        "service.starting", "fleet.joined", "fleet.joined", "service.ready", "service.draining", "fleet.left",
        "service.stopped",
    ]  # fmt: skip
    (starting,) = [log for log in logs if log["event"] == "service.starting"]
    assert (starting["release"], starting["code"]) == ("juno", str(Path(juno.__file__).parent))
    assert [log["event"] for log in logs].count("telemetry.counters") >= 1


async def test_counters_are_logged_seldom(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it beats, a service logs its counters once in a while, and at its end what they are by then."""
    monkeypatch.setattr(service, "COUNTERS_SECONDS", 3_600.0)
    count = telemetry.counter("test.beaten")
    before = _beaten(telemetry.counted())
    with capture_logs() as logs:
        async with world.running("conductor"), world.running("agent") as agent:
            for _ in range(5):
                count(1)
                await agent.membership.beat()
    told = [log["counters"] for log in logs if log["event"] == "telemetry.counters" and log["member"] == agent.id]
    assert len(told) == 2
    assert _beaten(told[-1]) - before == 5


def _beaten(counters: Sequence[dict[str, Any]]) -> int:
    return sum(counter["value"] for counter in counters if counter["name"] == "test.beaten")


async def test_drain(world: World) -> None:
    """A service that stops announces it, takes no new work, answers what is in hand, and leaves."""
    stop = asyncio.Event()
    work = gates()

    async def agent() -> None:
        async with world.running("agent", "h1", app=work):
            await stop.wait()

    async with world.running("conductor") as conductor, world.running("agent", "h2"):
        running = asyncio.create_task(agent())
        await eventually(lambda: _agents(conductor, 2))
        answer = asyncio.create_task(COMPUTE.on("h1").call(juno.ComputeAPI.wait, conductor.context()))
        await work["gates"]["entered"].wait()
        stop.set()
        await eventually(lambda: _state(conductor, "agent@h1", "draining"))
        machine = juno.Machine(name="a")
        assert {await COMPUTE.call(juno.ComputeAPI.look, conductor.context(), machine) for _ in range(4)} == {"h2"}
        assert not answer.done()
        work["gates"]["release"].set()
        assert await answer == "done"
        await running
        assert [m.host for m in (await fleet(conductor)).members if m.service == "agent"] == ["h2"]


async def _agents(asked: RunningService, number: int) -> bool:
    return len([m for m in (await fleet(asked)).members if "compute" in m.topics]) == number


async def _state(asked: RunningService, of: str, state: str) -> bool:
    return (await member(asked, of)).state == state


async def test_the_application_stops_after_its_last_answer(world: World) -> None:
    """The service's own clean-up begins when the last accepted call was answered, and still has a fleet to talk to."""
    order: list[str] = []

    class Agent(juno.Agent):
        async def wait(self, context: Any) -> str:
            await super().wait(context)
            order.append("answered")
            return "done"

    @asynccontextmanager
    async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
        yield [Agent(runtime)]
        found = await juno.Machine.get(runtime.context(user="u1"), "a")
        order.append(f"stopped, and read {found.name}")

    work = gates()
    world.add("a")
    project = Project(
        "shop",
        objects=[juno.Disk, juno.Machine, juno.MachineList],
        interfaces=[juno.ComputeAPI],
        services=[Service("agent", run)],
    )
    async with world.running("conductor") as conductor:
        async with RunningService.running(project, world.config("agent", app=work), "agent", "h1"):
            answer = asyncio.create_task(COMPUTE.on("h1").call(juno.ComputeAPI.wait, conductor.context()))
            await work["gates"]["entered"].wait()
            asyncio.get_running_loop().call_later(0.1, work["gates"]["release"].set)
        await answer
    assert order == ["answered", "stopped, and read a"]


async def test_a_service_with_a_limit(world: World) -> None:
    """A service takes no more work at once than it is declared for, and is still told what every member is told."""

    @asynccontextmanager
    async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
        yield [juno.Agent(runtime)]

    work = gates()
    project = Project(
        "shop", interfaces=[juno.ComputeAPI], objects=[juno.Disk, juno.Machine, juno.MachineList],
        services=[Service("agent", run, limit=1)],
    )  # fmt: skip
    limited = RunningService.running(project, world.config("agent", app=work), "agent", "h1")
    conducting = RunningService.running(project, world.config("conductor"), "conductor", "h1")
    async with conducting as conductor, limited as agent:
        answer = asyncio.create_task(COMPUTE.on("h1").call(juno.ComputeAPI.wait, conductor.context()))
        await work["gates"]["entered"].wait()
        with pytest.raises(NotDelivered, match="busy: service agent runs 1 at once"):
            await COMPUTE.within(4).call(juno.ComputeAPI.look, conductor.context(), juno.Machine(name="a"))
        async with world.running("agent", "h2", app={}):
            await eventually(lambda: "h2" in agent.floors.hosts("compute"))
        work["gates"]["release"].set()
        assert await answer == "done"


async def test_an_endpoint_that_fails(world: World) -> None:
    """An endpoint's failure is its caller's, and the service goes on."""
    async with world.running("conductor") as conductor, world.running("agent", app={}):
        for _ in range(2):
            with pytest.raises(MidflightError, match="KeyError"):
                await COMPUTE.on("h1").call(juno.ComputeAPI.wait, conductor.context())
        assert await COMPUTE.call(juno.ComputeAPI.look, conductor.context(), juno.Machine(name="a")) == "h1"


@pytest.mark.parametrize(
    ("service", "config", "error", "code", "said"),
    [
        ("agent", {"database": "sqlite:///x.db"}, DatabaseForbidden, 64, "agent works without a database"),
        ("agent", {"database": "postgresql://me:secret@h/x"}, DatabaseForbidden, 64, "was given postgresql://h/x:"),
        ("agent", {"database": "secret words"}, DatabaseForbidden, 64, "was given a database:"),
        ("api", {"database": None}, ConfigError, 64, "api opens the database"),
        ("nothing", {}, ProjectError, 64, "no service 'nothing'; it has conductor, api, agent"),
        ("api", {"broker": "carrier://pigeon"}, ConfigError, 64, r"midflight.toml: .* broker: received 'carrier:"),
        ("agent", {"broker": "nats://127.0.0.1:1"}, BrokerUnreachable, 75, "127.0.0.1:1"),
    ],
)
async def test_refused(
    world: World, service: str, config: dict[str, Any], error: type[MidflightError], code: int, said: str
) -> None:
    """What keeps a service from starting is one clear error with its exit code."""
    with pytest.raises(error, match=said) as refused:
        async with world.running(service, **config):
            pass
    assert refused.value.exit_code == code


async def test_schema_too_old(world: World, tmp_path: Path) -> None:
    """A service does not start on a schema that lacks what it needs, says what that is, and makes no database."""
    empty = tmp_path / "empty.db"
    with pytest.raises(SchemaTooOld, match="table machines.* db expand") as refused:
        async with world.running("conductor", database=f"sqlite:///{empty}"):
            pass
    assert refused.value.exit_code == 78
    assert not empty.exists()


async def test_a_view_that_cannot_be_kept(world: World) -> None:
    """Where the file of the view is a folder, the start says so in one line."""
    (world.folder / "state" / "api-h1.view.msgpack").mkdir(parents=True)
    async with world.running("conductor"):
        with pytest.raises(
            ConfigError, match=r"api-h1.view.msgpack: \[midflight\] state: the view of the fleet cannot be"
        ):
            async with world.running("api"):
                pass


async def test_a_host_without_an_end(world: World) -> None:
    """A name of more than 63 letters is no host's."""
    async with world.running("conductor", "h" * 63):
        pass
    with pytest.raises(UsageError, match="expected 1 to 63 letters, digits, - and _"):
        async with world.running("conductor", "h" * 64):
            pass


async def test_wrong_host(world: World) -> None:
    """A host that no address can carry is refused with the way out."""
    with pytest.raises(UsageError, match="'h1.example.org'.*--host"):
        async with world.running("conductor", "h1.example.org"):
            pass


async def test_a_start_that_fails_leaves_nothing(world: World) -> None:
    """Whatever was started before a failure is stopped again: the fleet has no trace of it."""

    @asynccontextmanager
    async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
        if runtime.host:
            raise RuntimeError("no such disk")
        yield []

    project = Project(
        "shop", interfaces=[juno.ComputeAPI], objects=[juno.Disk, juno.Machine], services=[Service("agent", run)]
    )
    async with world.running("conductor") as conductor:
        with pytest.raises(RuntimeError, match="no such disk"):
            async with RunningService.running(project, world.config("agent"), "agent", "h1"):
                pass
        assert [m.service for m in (await fleet(conductor)).members] == ["conductor"]


@asynccontextmanager
async def _yields_nothing(runtime: Runtime) -> AsyncIterator[Any]:
    yield


@asynccontextmanager
async def _yields_a_word(runtime: Runtime) -> AsyncIterator[Any]:
    yield "agent"


@asynccontextmanager
async def _does_not_yield(runtime: Runtime) -> AsyncIterator[Any]:
    if not runtime:
        yield []


async def _returns(runtime: Runtime) -> Any:
    return []


async def _is_not_decorated(runtime: Runtime) -> AsyncIterator[Any]:
    yield []


@asynccontextmanager
async def _forgets_an_endpoint(runtime: Runtime) -> AsyncIterator[Any]:
    class Agent(juno.ComputeAPI):
        async def look(self, context: Any, machine: juno.Machine) -> str:
            return ""

    yield [Agent()]  # type: ignore[abstract]  # the mistake


@asynccontextmanager
async def _calls_exit(runtime: Runtime) -> AsyncIterator[Any]:
    sys.exit("no such disk")
    yield []


MUST = r"service plain: run must be an @asynccontextmanager that yields a list of implementations"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (_yields_nothing, MUST),
        (_yields_a_word, MUST),
        (_does_not_yield, MUST),
        (_returns, MUST),
        (asynccontextmanager(_returns), MUST),  # type: ignore[arg-type]
        (_is_not_decorated, MUST),
        (lambda runtime: 3, MUST),
        (_forgets_an_endpoint, r"test_service.py:\d+: service plain: Can't instantiate abstract class Agent .*wait"),
        (_calls_exit, r"test_service.py:\d+: service plain: run called exit: no such disk"),
    ],
)
async def test_mistakes_in_run(world: World, run: Any, said: str) -> None:
    """A run that is none is told in one line with the service's name, and exits 64."""
    project = Project(
        "shop", interfaces=[juno.ComputeAPI], objects=[juno.Machine, juno.Disk], services=[Service("plain", run)]
    )
    async with world.running("conductor"):
        with pytest.raises(ProjectError, match=said) as refused:
            async with RunningService.running(project, world.config("agent"), "plain", "h1"):
                pass
    assert refused.value.exit_code == 64


async def test_runtime(world: World) -> None:
    """An application gets its settings, the folder of its host, contexts with values, and the hosts of a topic."""
    seen: list[Runtime] = []

    @asynccontextmanager
    async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
        seen.append(runtime)
        yield []

    project = Project(
        "shop", interfaces=[juno.ComputeAPI], objects=[juno.Disk, juno.Machine, juno.MachineList],
        services=[Service("web", run, database=True)], tables=metadata,
    )  # fmt: skip
    web = RunningService.running(project, world.config("web", app={"port": 1}), "web", "w1")
    async with world.running("conductor"), world.running("agent", "h5"), web:
        (runtime,) = seen
        assert (runtime.service, runtime.host, runtime.settings) == ("web", "w1", {"port": 1})
        assert runtime.hosts("compute") == ["h5"]
        assert runtime.state == world.folder / "state"
        assert runtime.state.is_dir()
        context = runtime.context(user="u1")
        assert context.values == {"user": "u1"}
        assert runtime.database is not None
        assert context.database is runtime.database


# The configuration, read again.

FILE = """
[midflight]
project = "tests.conductor.juno:project"
broker = "BROKER"
beat_seconds = 0.2
drain_seconds = 2.0
call_seconds = 2.0
"""


def written(world: World, more: str = "", broker: str = "") -> Config:
    """The agent's configuration as a file, which it can read again."""
    path = world.folder / "midflight.toml"
    path.write_text(FILE.replace("BROKER", broker or world.broker) + more)
    return Config.load(path, {})


def told(logs: Sequence[Any], event: str) -> list[dict[str, Any]]:
    return [dict(log) for log in logs if log["event"] == event]


async def test_a_file_that_changed(world: World) -> None:
    """Pins and seconds of the file hold from now on, and the fleet is told; what needs a restart is named and waits."""
    config = written(world)
    running = RunningService.running(world.project(), config, "agent", "h1")
    async with world.running("conductor") as conductor, running as agent:
        assert (await member(conductor, agent)).overrides == {}
        written(world, 'log = "debug"\n[upgrade_levels]\ncompute = "juno"\n[app]\nport = 1\n', "memory:other")
        text = (world.folder / "midflight.toml").read_text().replace("call_seconds = 2.0", "call_seconds = 0.5")
        (world.folder / "midflight.toml").write_text(text)
        with capture_logs() as logs:
            agent.reload()
        live = ["[midflight] call_seconds", "[midflight] log", "[upgrade_levels]"]
        assert [log["changed"] for log in told(logs, "config.reloaded")] == [live]
        assert [log["entries"] for log in told(logs, "config.needs_restart")] == [["[midflight] broker", "[app]"]]
        assert [log["topic"] for log in told(logs, "pin.overridden")] == ["compute"]
        assert (agent.config.log, agent.config.broker, agent.config.call_seconds) == ("debug", world.broker, 0.5)
        await eventually(lambda: _overrides(conductor, agent, {"compute": "juno"}))
        with pytest.raises(NotDelivered):
            await COMPUTE.on("nowhere").call(juno.ComputeAPI.look, agent.context(), juno.Machine(name="a"))
        written(world)
        agent.reload()
        await eventually(lambda: _overrides(conductor, agent, {}))


async def _overrides(asked: RunningService, of: RunningService, expected: dict[str, str]) -> bool:
    return (await member(asked, of)).overrides == expected


async def test_a_pin_of_the_file_is_obeyed_when_it_is_read_again(world: World) -> None:
    """The member sends under its new override at once, and under the fleet's floor again when that is gone."""
    config = written(world)
    running = RunningService.running(world.project(kilo), config, "agent", "h1")
    async with world.running("conductor", release=kilo), running as agent:
        own = agent.contract.manifest["compute"]
        assert agent.floors.manifest_for("compute")["compute"] == own
        written(world, '[upgrade_levels]\ncompute = "juno"\n')
        agent.reload()
        pinned = world.project().contract.manifest["compute"]
        assert agent.floors.manifest_for("compute")["compute"] == pinned < own
        written(world)
        agent.reload()
        assert agent.floors.manifest_for("compute")["compute"] == own


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[midflight\n", "syntax"),
        ("beat_seconds = 0\n", "beat_seconds"),
        ('[upgrade_levels]\ncompute = "nothing"\n', r"\[upgrade_levels\] compute: received pin 'nothing'"),
        ('[upgrade_levels]\ncomputer = "juno"\n', "no such topic"),
    ],
)
async def test_a_file_with_a_mistake(world: World, text: str, said: str) -> None:
    """A file that is wrong leaves all in force as it was, and the log has one line that says what is wrong where."""
    config = written(world, '[upgrade_levels]\ncompute = "juno"\n')
    running = RunningService.running(world.project(), config, "agent", "h1")
    async with world.running("conductor") as conductor, running as agent:
        path = world.folder / "midflight.toml"
        path.write_text(path.read_text().partition("[upgrade")[0].replace("beat_seconds = 0.2\n", "") + text)
        with capture_logs() as logs:
            agent.reload()
        (line,) = [log for log in logs if log["event"].startswith(("config.", "pin."))]
        assert (line["event"], line["log_level"]) == ("config.refused", "error")
        assert str(path) in line["reason"]
        assert re.search(said, line["reason"])
        assert agent.config == config
        assert (await member(conductor, agent)).overrides == {"compute": "juno"}
