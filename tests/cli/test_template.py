"""What a new project does beyond its own tests."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from midflight import Context, Runtime
from midflight.cli.init import NAME_IN_TEMPLATE, TEMPLATE


@pytest.fixture
def dispatcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of its service with the database."""
    monkeypatch.syspath_prepend(TEMPLATE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module(f"{NAME_IN_TEMPLATE}.dispatcher")
    for module in [module for module in sys.modules if module.partition(".")[0] == NAME_IN_TEMPLATE]:
        del sys.modules[module]


async def test_a_dispatcher_that_cannot_look_any_more_ends_its_service(dispatcher: Any, tmp_path: Path) -> None:
    """Whatever it was, so that it is started again, and does not stay for nothing."""

    def nothing(values: Mapping[str, str]) -> Context:
        raise LookupError("no job 3")

    runtime = Runtime("dispatcher", "d1", tmp_path, {}, (), nothing, lambda topic: [])
    with pytest.raises(ExceptionGroup) as failed:
        async with dispatcher.dispatcher(runtime):
            await asyncio.Event().wait()
    assert [repr(each) for each in failed.value.exceptions] == ["LookupError('no job 3')"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A new project's folder, with what a fleet on this machine needs."""
    for name in ("fleet", "midflight.toml"):
        shutil.copy(TEMPLATE / name, tmp_path)
    (tmp_path / "var").mkdir()
    return tmp_path


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Some process or other, with a name that is hard to read past."""
    (tmp_path / "a) S 1 (b").symlink_to(shutil.which("sleep") or "")
    with subprocess.Popen([tmp_path / "a) S 1 (b", "600"]) as process:
        yield process
        process.kill()


def begun(pid: int) -> str:
    """When a process began, as the system says it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.parametrize("typed", [["stop", "worker", "w1"], ["down"]])
def test_a_fleet_ends_its_own_processes_only(place: Path, process: subprocess.Popen[bytes], typed: list[str]) -> None:
    """A process that has got the number of one that has ended is let be, and one that is still the same is ended."""
    file = place / "var" / "worker-w1.pid"
    for when in ("1", ""):
        file.write_text(f"{process.pid} {when}\n")
        subprocess.run([place / "fleet", *typed], capture_output=True, check=True)
        assert (process.poll(), file.exists()) == (None, False)
    file.write_text(f"{process.pid} {begun(process.pid)}\n")
    subprocess.run([place / "fleet", *typed], capture_output=True, check=True)
    assert (process.wait(), file.exists()) == (-15, False)


def test_whoever_has_forgotten_the_environment_is_told(place: Path) -> None:
    """At once, by what is missing; and nothing is left that looks as if it ran."""
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    started = subprocess.run(
        [place / "fleet", "start", "worker", "w1"], env=environment, capture_output=True, text=True, check=False
    )
    said = "there is no midflight here: activate the environment that midflight is installed in\n"
    assert (started.returncode, started.stdout, started.stderr) == (1, "", said)
    assert [*(place / "var").iterdir()] == []


def stand_in(place: Path, script: str) -> dict[str, str]:
    """What ``./fleet`` finds as midflight; the environment for that."""
    (place / "midflight").write_text(f"#!/bin/sh\n{script}")
    (place / "midflight").chmod(0o755)
    return {**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}


def test_a_service_that_does_not_start_leaves_nothing_that_looks_as_if_it_ran(place: Path) -> None:
    """Like one that there is not; its log stays."""
    environment = stand_in(place, "echo no service baker\nexit 64\n")
    started = subprocess.run(
        [place / "fleet", "start", "baker", "b1"], env=environment, capture_output=True, text=True, check=False
    )
    assert (started.returncode, started.stderr) == (1, "baker@b1 has ended: no service baker\n")
    assert [path.name for path in (place / "var").iterdir()] == ["baker-b1.log"]


def test_a_broker_of_another_fleet_is_not_shared_in_silence(place: Path, process: subprocess.Popen[bytes]) -> None:
    """It is told until the broker is the fleet's own."""
    environment = stand_in(place, "exit 1\n")  # more than the broker is not started
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
        (place / "midflight.toml").write_text(f'broker = "nats://127.0.0.1:{port}"\n')

        def up() -> str:
            typed = [place / "fleet", "up"]
            return subprocess.run(typed, env=environment, capture_output=True, text=True, check=False).stderr

        assert up() == (
            f"a broker that this fleet has not started answers at 127.0.0.1:{port}: it is shared, and ends when "
            f"whoever started it ends it; for one of your own, write another port into {place}/midflight.toml\n"
        )
        (place / "var" / "broker.pid").write_text(f"{process.pid} {begun(process.pid)}\n")
        assert up() == ""


def test_a_service_that_is_started_takes_work(place: Path) -> None:
    """``./fleet start`` returns when its log says so, also the first time, when there is no log yet."""
    environment = stand_in(place, 'sleep 0.5\ntouch said\necho \'{"event": "service.ready"}\'\nexec sleep 600\n')
    for _ in range(2):
        subprocess.run([place / "fleet", "start", "worker", "w1"], env=environment, capture_output=True, check=True)
        said = (place / "said").exists()
        subprocess.run([place / "fleet", "stop", "worker", "w1"], env=environment, capture_output=True, check=True)
        assert said
        (place / "said").unlink()
