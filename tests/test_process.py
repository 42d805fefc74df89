"""Services in processes of their own: signals, inherited sockets, readiness."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from midflight.db.schema.runner import SchemaRunner
from midflight.errors import ConfigError
from midflight.supervisor import passed_sockets
from midflight.transports.embedded import EmbeddedBroker

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
from midflight.process import run_service

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
        assert home.process.wait(60) == 0


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
        assert home.process.wait(60) == 0
        assert home.process.stderr is not None
        assert home.process.stderr.read() == ""


def test_a_blocked_loop_is_told_by_the_service(folder: Path) -> None:
    """The log of a service names the line that blocks its loop."""
    with_database(folder)
    waits = "    import os, time\n    while not os.path.exists('told'): time.sleep(0.1)\n"
    (folder / "app.py").write_text((folder / "app.py").read_text().replace("    yield []\n", f"    yield []\n{waits}"))
    with Process(folder, "home") as home:
        home.wait_for("service.ready")
        home.tell(signal.SIGTERM)
        line = home.wait_for("app.py:12 in run: while not os.path.exists('told'): time.sleep(0.1)")
        (folder / "told").touch()
        assert '"event": "service.loop_blocked"' in line
        assert '"service": "home"' in line
        assert home.process.wait(60) == 0


def test_told_twice(folder: Path) -> None:
    """A second SIGTERM ends a process at once, whatever its application is doing."""
    with_database(folder, stuck=True)
    with Process(folder, "home") as home:
        home.wait_for("service.ready")
        home.tell(signal.SIGTERM)
        assert home.process.stdout is not None
        next(line for line in home.process.stdout if "stuck" in line)
        home.tell(signal.SIGTERM)
        assert home.process.wait(60) == -signal.SIGTERM


def test_told_to_stop_while_it_starts(folder: Path) -> None:
    """A service that still waits for its first conductor ends with 0 when it is told to."""
    with Process(folder, "web") as web:
        web.wait_for("member.waits")
        web.tell(signal.SIGTERM)
        assert web.process.wait(60) == 0


def test_inherited_sockets_and_readiness(folder: Path) -> None:
    """A service gets the listening sockets that its supervisor holds, and tells the supervisor how it stands."""
    with_database(folder)
    with socket.socket() as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(60)
        environment = {**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(folder / "notify")}
        handle = listening.fileno()
        passing: dict[str, Any] = {"env": environment, "close_fds": False, "preexec_fn": lambda: os.dup2(handle, 3)}
        with Process(folder, "home", **passing) as home:
            assert systemd.recv(100) == b"READY=1"
            home.tell(signal.SIGTERM)
            assert systemd.recv(100) == b"STOPPING=1"
            assert home.process.wait(60) == 0
            assert home.process.stdout is not None
            assert f"sockets {listening.getsockname()[1]}\n" in home.process.stdout.readlines()


def test_a_supervisor_that_has_gone_is_no_reason_to_stop(folder: Path) -> None:
    """Where nobody listens for how a service stands any more, it warns, and serves."""
    with_database(folder)
    environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "gone")}
    with Process(folder, "home", env=environment) as home:
        assert "No such file or directory" in home.wait_for("service.not_notified")
        home.tell(signal.SIGTERM)
        assert home.process.wait(60) == 0


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
