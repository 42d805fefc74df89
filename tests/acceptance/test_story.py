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

from tests.acceptance.small import COMPUTE, SIZE, demo


async def test_the_whole_road(tmp_path: Path) -> None:
    """A fleet of juno becomes a fleet of kilo under load, and nobody who uses it notices."""
    run = await demo(tmp_path)
    assert run.code == 0, run.output
    assert run.zeros == dict.fromkeys(run.zeros, 0)
    report = run.report
    assert report["requests"] >= SIZE["requests"]
    assert report["instances"] >= SIZE["instances"]
    assert report["migrated"] > 0
    assert report["deferred"] > 0
    assert report["backports"]["sender"] > 0
    assert report["backports"]["reply"] > 0
    assert min(restart["writes_meanwhile"] for restart in report["restarts"]) > 0
    assert [step["step"] for step in report["steps"]][-3:] == ["finalize", "enough", "look"]
    assert re.search(r"^  .*\b([1-9]) instances matched query, \1 completed$", run.output, re.MULTILINE)
    assert left_behind(tmp_path / "run") == []
    path = [ran["release"] for ran in report["releases"]["agent-1"]]
    assert path == ["juno", "kilo", "juno", "kilo"]
    assert report["releases"]["agent-2"][-1]["code"] == str(COMPUTE / "kilo" / "compute")


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
