from __future__ import annotations

import os
import re
import signal
import sys
from asyncio import create_subprocess_exec, sleep
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest
from demo import proc

from tests.acceptance.small import COMPUTE, SIZE, Ended, demo
from tests.acceptance.watching import watching


async def test_the_whole_road(tmp_path: Path) -> None:
    """A fleet of juno becomes a fleet of kilo, and then of liberty, under load, and nobody who uses it notices. Who
    watches the console sees each step of the first upgrade, and the releases shift."""
    async with watching(tmp_path / "run") as watched:
        run = await demo(tmp_path)
    assert run.code == 0, run.output
    check_the_road(run)
    assert {"control", "roll", "data"} <= set(watched.steps), watched
    assert max(watched.shares) == 100.0
    assert len(watched.shares) > 4
    assert (watched.violations, watched.complaints) == ([], [])
    assert run.report["engine"]["database"].startswith("SQLite")
    assert left_behind(tmp_path / "run") == []


def check_the_road(run: Ended) -> None:
    """All was done, on the way from the first step to the last; and the operator was refused what came too early."""
    report = run.report
    assert run.zeros == dict.fromkeys(run.zeros, 0)
    assert report["requests"] >= SIZE["requests"]
    assert report["instances"] >= SIZE["instances"]
    assert min(report[name] for name in ("migrated", "deferred", "paused")) > 0
    assert min(report["backports"][where] for where in ("sender", "reply")) > 0
    assert min(restart["writes_meanwhile"] for restart in report["restarts"]) > 0
    assert [step["step"] for step in report["steps"]][-3:] == ["liberty purge", "enough", "look"]
    assert re.search(r"^  .*\b([1-9]) instances matched query, \1 completed$", run.output, re.MULTILINE)
    refused = r"^liberty\$ midflight db expand\n  error: Expanding by 0003 is refused: .* not proven.*\n  exit code 2$"
    assert len(re.findall(refused, run.output, re.MULTILINE)) == 1
    assert len(re.findall(r"^POST /instances/\S+/pause: 409 compute.pause needs compute 4.1", run.output, re.M)) == 1
    assert report["old_home"] == []
    path = [ran["release"] for ran in report["releases"]["agent-1"]]
    assert path == ["juno", "kilo", "juno", "kilo", "liberty", "kilo", "liberty"]
    assert report["releases"]["agent-2"][-1]["code"] == str(COMPUTE / "liberty" / "compute")


def left_behind(run: Path) -> list[str]:
    """The processes that still live and name something of this run in their arguments: services, machines, helpers."""
    living = {int(name): proc.command_line(int(name)) for name in os.listdir("/proc") if name.isdecimal()}
    return [" ".join(words) for pid, words in living.items() if str(run) in " ".join(words) and proc.alive(pid)]


def as_in_a_terminal() -> None:
    """A shell makes what runs in its background deaf to SIGINT, and that is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_by_its_user(tmp_path: Path, number: signal.Signals) -> None:
    """Whoever stops the demo in the middle finds no process of it left."""
    arguments = [f"--{name}={value}" for name, value in {**SIZE, "build": tmp_path}.items()]
    command = [sys.executable, "-m", "demo", *arguments]
    process = await create_subprocess_exec(*command, cwd=COMPUTE, stdout=DEVNULL, preexec_fn=as_in_a_terminal)
    machines = tmp_path / "run" / "machines"
    while process.returncode is None and len(list(machines.glob("*.count"))) < 5:
        await sleep(0.1)
    os.kill(process.pid, number)
    assert await process.wait() == 130
    assert left_behind(tmp_path / "run") == []
    assert len(list(machines.glob("*.count"))) >= 5
