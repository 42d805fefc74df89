"""The units for systemd: they are units, and a service does what they promise to systemd."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from midflight.cli import main
from midflight.cli.init import NAME_IN_TEMPLATE, TEMPLATE
from midflight.config import Config
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import ConfigError
from midflight.supervisor import watchdog_seconds
from midflight.transports.embedded import EmbeddedBroker
from tests.transports.ports import Port

UNITS = Path(__file__).parents[2] / "contrib/systemd"
OF_A_NEW_PROJECT = TEMPLATE / "systemd" / f"{NAME_IN_TEMPLATE}@.service"
SERVICES = sorted(UNITS.glob("*.service"))
INSTALLED = "/opt/midflight/current/bin/midflight"

APP = """
import asyncio, os, time
from contextlib import asynccontextmanager
from midflight.project import Project, Service

async def answer(reader, writer):
    if b"block" in await reader.readline():
        time.sleep(60)
    writer.write(f"{os.getpid()}".encode())
    await writer.drain()
    writer.close()

@asynccontextmanager
async def run(runtime):
    (passed,) = runtime.sockets
    server = await asyncio.start_server(answer, sock=passed.dup())
    yield []
    server.close()

project = Project("PROJECT", services=[Service("api", run, database=True)])
"""


def directives(unit: Path) -> dict[str, str]:
    """What a unit says, by its names; the last one where there are several."""
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))


def test_the_units_are_units(tmp_path: Path) -> None:
    """systemd itself has nothing against them, once what they start is there; and it does read them."""
    program = str(Path(sys.executable).with_name("midflight"))
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED, program))
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    seen = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (seen.returncode, seen.stdout + seen.stderr) == (0, "")
    with (tmp_path / "midflight@.service").open("a") as unit:
        unit.write("[Service]\nWatchdogSek=1\n")
    seen = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Unknown key 'WatchdogSek'" in seen.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_there_is(unit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its options: the help page of the command has them."""
    program, noun, *given = directives(unit)["ExecStart"].split()
    assert program == INSTALLED
    assert main([noun, "--help"]) == 0
    structlog.reset_defaults()
    page = capsys.readouterr().out
    assert [word for word in given if word.startswith("--") and word not in page] == []


def test_the_unit_of_a_new_project_promises_the_same(tmp_path: Path) -> None:
    """It is a unit, and says to systemd what the one here says, but for who it runs as and where."""
    ours, new = directives(UNITS / "midflight@.service"), directives(OF_A_NEW_PROJECT)
    text = OF_A_NEW_PROJECT.read_text().replace(INSTALLED.replace("midflight", NAME_IN_TEMPLATE, 1), sys.executable)
    (tmp_path / OF_A_NEW_PROJECT.name).write_text(text)
    command = ["systemd-analyze", "verify", str(tmp_path / OF_A_NEW_PROJECT.name)]
    seen = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (seen.returncode, seen.stdout + seen.stderr) == (0, "")
    for said in ("Type", "WatchdogSec", "TimeoutStartSec", "TimeoutStopSec", "Restart", "RestartPreventExitStatus"):
        assert new[said] == ours[said]


def test_a_stop_has_more_time_than_a_drain() -> None:
    """By the default of the configuration."""
    drain = Config(project="a", broker="b").drain_seconds
    assert int(directives(UNITS / "midflight@.service")["TimeoutStopSec"]) >= 2 * drain


class Systemd:
    """Plays the part of systemd for one service: holds its socket, starts it as its unit says, and hears it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.bind(str(folder / "notify"))
        self._heard.settimeout(60)

    def close(self) -> None:
        self.listening.close()
        self._heard.close()

    @contextmanager
    def service(self, **more: str) -> Iterator[subprocess.Popen[str]]:
        unit = directives(UNITS / "midflight@.service")
        command = unit["ExecStart"].replace(INSTALLED, f"{sys.executable} -m midflight.cli").replace("%i", "api")
        environment = {**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(self._folder / "notify"), **more}
        handle = self.listening.fileno()
        process = subprocess.Popen(
            command.split(), cwd=self._folder, env=environment, close_fds=False, text=True,
            preexec_fn=lambda: os.dup2(handle, 3), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def hears(self, wanted: str) -> list[str]:
        """All up to what is wanted."""
        found = []
        while not found or wanted not in found[-1]:
            found.append(self._heard.recv(200).decode())
        return found

    def silent_for(self, seconds: float) -> bool:
        """Whether nothing is said for so long, after what was said already."""
        self._heard.settimeout(seconds)
        try:
            for _ in range(20):  # what lay in the socket
                self._heard.recv(200)
        except TimeoutError:
            return True
        finally:
            self._heard.settimeout(60)
        return False


def asked(port: int, word: str = "who") -> int:
    """The process that answers. Whoever is refused raises ConnectionRefusedError."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(f"{word}\n".encode())
        return int(client.recv(20))


@pytest.fixture
def folder(tmp_path: Path, broker: EmbeddedBroker) -> Path:
    name = f"units-{tmp_path.name.replace('_', '-')}"
    (tmp_path / "app.py").write_text(APP.replace("PROJECT", name))
    url = f"sqlite:///{tmp_path / 'app.db'}"
    SchemaRunner(url, None, None, "first").expand()
    lines = ["[midflight]", 'project = "app:project"', f'broker = "{broker.url}"', f'database = "{url}"']
    (tmp_path / "midflight.toml").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def systemd(folder: Path) -> Iterator[Systemd]:
    played = Systemd(folder)
    yield played
    played.close()


def test_a_service_says_to_systemd_how_it_stands(systemd: Systemd) -> None:
    """READY when it serves, WATCHDOG as long as its loop answers, RELOADING and READY for a reload, STOPPING when it
    drains, and 0 at its end; a loop that is blocked says nothing."""
    port = systemd.listening.getsockname()[1]
    with systemd.service(WATCHDOG_USEC="400000") as service:
        assert "WATCHDOG=1" in systemd.hears("READY=1")
        systemd.hears("WATCHDOG=1")
        service.send_signal(signal.SIGHUP)
        systemd.hears("RELOADING=1")
        systemd.hears("READY=1")
        service.send_signal(signal.SIGTERM)
        systemd.hears("STOPPING=1")
        assert service.wait(60) == 0
    with systemd.service(WATCHDOG_USEC="400000"):
        systemd.hears("READY=1")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"block\n")
            deadline = time.monotonic() + 60
            while not systemd.silent_for(1.5):
                assert time.monotonic() < deadline


def test_nobody_is_refused_between_two_processes(systemd: Systemd) -> None:
    """The address stays open: who comes while nobody serves waits, and is answered by the next process."""
    port = systemd.listening.getsockname()[1]
    with systemd.service() as first:
        systemd.hears("READY=1")
        assert asked(port) == first.pid
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as early:
        early.sendall(b"who\n")
        with systemd.service() as second:
            assert int(early.recv(20)) == second.pid
            assert asked(port) == second.pid


@pytest.fixture
def port() -> Iterator[Port]:
    with Port() as port:
        yield port


def test_the_socket_of_systemds_own_tool(folder: Path, port: Port) -> None:
    """systemd-socket-activate passes it as systemd does, with LISTEN_PID and names."""
    tool = shutil.which("systemd-socket-activate")
    assert tool
    command = [tool, f"--listen=127.0.0.1:{port}", *(f"--setenv={n}" for n in ("PYTHONPATH", "PATH", "HOME"))]
    run: dict[str, Any] = {"cwd": folder, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, sys.executable, "-m", "midflight.cli", "run", "api"], **run) as activated:
        try:
            assert activated.stderr is not None
            next(line for line in activated.stderr if "Listening on" in line)
            assert asked(port.number) == activated.pid
            activated.send_signal(signal.SIGTERM)
            activated.communicate(timeout=60)
            assert activated.returncode == 0
        finally:
            activated.kill()


def test_how_often_systemd_wants_to_hear_us() -> None:
    """Twice in its time, and only where it means us; the variables are not handed on."""
    environment = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    assert watchdog_seconds(environment) == 15.0
    assert environment == {"HOME": "/"}
    assert watchdog_seconds({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}) is None
    assert watchdog_seconds({}) is None
    for wrong in ("", "0", "-1", "soon", "9" * 400):
        with pytest.raises(ConfigError, match="environment: WATCHDOG_USEC: received "):
            watchdog_seconds({"WATCHDOG_USEC": wrong})
