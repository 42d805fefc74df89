"""A service process from its start to its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from midflight import telemetry
from midflight.config import Config
from midflight.db.schema.runner import SchemaRunner
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
from midflight.supervisor import passed_sockets
from midflight.transports.embedded import EmbeddedBroker
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
            await COMPUTE.within(0.1).call(juno.ComputeAPI.look, conductor.context(), juno.Machine(name="a"))
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


# Real processes.

APP = """
import asyncio
from contextlib import asynccontextmanager
from midflight.project import Project, Service

@asynccontextmanager
async def run(runtime):
    names = [each.getsockname()[1] for each in runtime.sockets]
    print("sockets", *names, flush=True)
    yield []
    if runtime.settings.get("stuck"):
        print("stuck", flush=True)
        await asyncio.sleep(60)

project = Project("PROJECT", services=[Service("web", run), Service("home", run, database=True)])
"""

MAIN = """
import asyncio, sys
from pathlib import Path
from midflight.config import Config
from midflight.project import load_project
from midflight.service import run_service

config = Config.load(Path("midflight.toml"))
sys.exit(asyncio.run(run_service(load_project(config.project), config, sys.argv[1], "h1")))
"""


class Process:
    """A service in a process of its own; its events are lines of its standard error."""

    def __init__(self, folder: Path, service: str, **options: Any) -> None:
        command, piped = [sys.executable, "-c", MAIN, service], subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, stdout=piped, stderr=piped, text=True, **options)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, word: str) -> str:
        """The next line of the log that has a word in it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if word in line:
                return str(line)
        raise AssertionError(f"it ended without {word!r}")

    def tell(self, number: int) -> None:
        self.process.send_signal(number)


@pytest.fixture
def folder(tmp_path: Path, broker: EmbeddedBroker) -> Path:
    name = f"service-{tmp_path.name.replace('_', '-')}"
    (tmp_path / "app.py").write_text(APP.replace("PROJECT", name))
    (tmp_path / "midflight.toml").write_text(
        f'[midflight]\nproject = "app:project"\nbroker = "{broker.url}"\ncall_seconds = 0.3\n[app]\nstuck = false\n'
    )
    return tmp_path


def with_database(folder: Path, **app: bool) -> None:
    """Let the services of this folder open a database that has a schema."""
    url = f"sqlite:///{folder / 'app.db'}"
    SchemaRunner(url, None, None, "first").expand()
    text = (folder / "midflight.toml").read_text().replace("[app]", f'database = "{url}"\n[app]')
    (folder / "midflight.toml").write_text(text.replace("false", str(app.get("stuck", False)).lower()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(folder: Path, number: int) -> None:
    """SIGTERM and SIGINT drain a service, which ends with 0."""
    with_database(folder)
    with Process(folder, "home") as home:
        assert str(folder) in home.wait_for("service.starting")
        home.wait_for("service.ready")
        home.tell(number)
        home.wait_for("service.draining")
        home.wait_for("service.stopped")
        assert home.process.wait(10) == 0


def test_told_to_read_its_configuration_again(folder: Path) -> None:
    """SIGHUP changes what the log has to say, also when it came during the start, and ends nothing."""
    with_database(folder)
    text = (folder / "midflight.toml").read_text()
    with Process(folder, "home") as home:
        home.wait_for("service.starting")
        home.tell(signal.SIGHUP)
        home.wait_for("service.ready")
        home.wait_for("config.reloaded")
        (folder / "midflight.toml").write_text("[midflight\n")
        home.tell(signal.SIGHUP)
        assert "syntax" in home.wait_for("config.refused")
        (folder / "midflight.toml").write_text(text.replace("[app]", 'log = "error"\n[app]'))
        home.tell(signal.SIGHUP)
        assert "[midflight] log" in home.wait_for("config.reloaded")
        home.tell(signal.SIGTERM)
        assert home.process.wait(10) == 0
        assert home.process.stderr is not None
        assert home.process.stderr.read() == ""


def test_a_blocked_loop_is_told_by_the_service(folder: Path) -> None:
    """The log of a service names the line that blocks its loop."""
    with_database(folder)
    text = (folder / "app.py").read_text().replace("    yield []\n", "    yield []\n    import time; time.sleep(1.8)\n")
    (folder / "app.py").write_text(text)
    with Process(folder, "home") as home:
        home.wait_for("service.ready")
        home.tell(signal.SIGTERM)
        line = home.wait_for("service.loop_blocked")
        assert "app.py:11 in run: import time; time.sleep(1.8)" in line
        assert '"service": "home"' in line
        assert home.process.wait(10) == 0


def test_told_twice(folder: Path) -> None:
    """A second SIGTERM ends a process at once, whatever its application is doing."""
    with_database(folder, stuck=True)
    with Process(folder, "home") as home:
        home.wait_for("service.ready")
        home.tell(signal.SIGTERM)
        assert home.process.stdout is not None
        next(line for line in home.process.stdout if "stuck" in line)
        home.tell(signal.SIGTERM)
        assert home.process.wait(10) == -signal.SIGTERM


def test_told_to_stop_while_it_starts(folder: Path) -> None:
    """A service that still waits for its first conductor ends with 0 when it is told to."""
    with Process(folder, "web") as web:
        web.wait_for("member.waits")
        web.tell(signal.SIGTERM)
        assert web.process.wait(10) == 0


def test_inherited_sockets_and_readiness(folder: Path) -> None:
    """A service gets the listening sockets that its supervisor holds, and tells the supervisor how it stands."""
    with_database(folder)
    with socket.socket() as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(20)
        environment = {**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(folder / "notify")}
        handle = listening.fileno()
        passing: dict[str, Any] = {"env": environment, "close_fds": False, "preexec_fn": lambda: os.dup2(handle, 3)}
        with Process(folder, "home", **passing) as home:
            assert systemd.recv(100) == b"READY=1"
            home.tell(signal.SIGTERM)
            assert systemd.recv(100) == b"STOPPING=1"
            assert home.process.wait(10) == 0
            assert home.process.stdout is not None
            assert f"sockets {listening.getsockname()[1]}\n" in home.process.stdout.readlines()


def test_a_supervisor_that_has_gone_is_no_reason_to_stop(folder: Path) -> None:
    """Where nobody listens for how a service stands any more, it warns, and serves."""
    with_database(folder)
    environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "gone")}
    with Process(folder, "home", env=environment) as home:
        assert "No such file or directory" in home.wait_for("service.not_notified")
        home.tell(signal.SIGTERM)
        assert home.process.wait(10) == 0


@pytest.mark.parametrize(
    ("count", "said"),
    [("x", "received 'x', expected the number"), ("-1", "received '-1'"), ("9" * 5000, "received '999"),
     ("", "received ''"), ("1000", r"descriptor \d+ is no socket")],
)  # fmt: skip
def test_sockets_that_were_not_passed(count: str, said: str) -> None:
    """A wrong LISTEN_FDS is told with its name."""
    with pytest.raises(ConfigError, match=rf"environment: LISTEN_FDS: {said}"):
        passed_sockets({"LISTEN_FDS": count})


def test_sockets_for_somebody_else() -> None:
    """Sockets that were passed to another process are not taken, and the variables are not handed on to children."""
    environment = {"LISTEN_FDS": "2", "LISTEN_PID": "1", "HOME": "/"}
    assert passed_sockets(environment) == []
    assert environment == {"HOME": "/"}
    assert passed_sockets({}) == []
