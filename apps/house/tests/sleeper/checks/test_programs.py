import asyncio
import os
from pathlib import Path

import pytest

from house.sleeper.checks.command import Command
from house.sleeper.checks.inhibitors import Inhibitors
from house.sleeper.checks.processes import Processes
from house.sleeper.logind import Logind
from house.sleeper.system import System, Unclear
from tests.sleeper.login1 import Login1
from tests.sleeper.machine import FakeMachine


async def test_a_process_is_known_by_its_name(machine: FakeMachine) -> None:
    """With patterns, and by no more of it than the kernel keeps."""
    machine.process(1, "systemd")
    machine.process(2, "a-very-long-nam")
    assert await Processes(["make", "sys"]).look(machine.system) is None
    assert await Processes(["make", "sys*"]).look(machine.system) == "systemd runs"
    assert await Processes(["a-very-long-name"]).look(machine.system) == "a-very-long-nam runs"
    with pytest.raises(Unclear, match="/proc shows no process"):
        await Processes(["make"]).look(System(machine.root / "empty", machine.clock))


async def test_the_real_processes_are_seen() -> None:
    """On this machine there is at least the one that asks."""
    me = Path("/proc/self/comm").read_text().strip()
    assert await Processes([me]).look(System()) == f"{me} runs"


async def test_whoever_blocks_sleep_keeps_awake(machine: FakeMachine, login1: Login1, logind: Logind) -> None:
    """A lock that only delays, or blocks something else, does not; without a logind it is unclear."""
    system = System(machine.root, machine.clock, logind)
    delays = await logind.delay_sleep("to be told")
    assert await Inhibitors().look(system) is None
    lock = await login1.block("idle:sleep", "make check")
    assert await Inhibitors().look(system) == "make asks that it does not sleep: make check"
    assert await Inhibitors(["shutdown"]).look(system) is None
    os.close(lock)
    await login1.until_locks(1)
    assert await Inhibitors().look(system) is None
    delays.let_go()
    with pytest.raises(Unclear, match="there is no logind here"):
        await Inhibitors().look(machine.system)


@pytest.mark.parametrize(
    ("script", "answer"),
    [("exit 0", None), ("echo a backup runs; echo x; exit 1", "a backup runs"), ("exit 1", "sh exits with 1")],
)
async def test_a_command_says_whether_it_is_busy(script: str, answer: str | None, machine: FakeMachine) -> None:
    """By its exit code, and why by its first line."""
    assert await Command(["sh", "-c", script]).look(machine.system) == answer


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["sh", "-c", "echo broken >&2; exit 2"], "sh has failed with 2: broken"),
        (["sh", "-c", "kill -9 $$"], "sh has failed with -9"),
        (["/nowhere/check"], "/nowhere/check cannot be run: No such file"),
    ],
)
async def test_a_command_that_fails_cannot_tell(command: list[str], reason: str, machine: FakeMachine) -> None:
    """It is unclear, and says what the command said."""
    with pytest.raises(Unclear, match=reason):
        await Command(command).look(machine.system)


async def test_a_command_that_hangs_is_killed_with_its_children(machine: FakeMachine, tmp_path: Path) -> None:
    """After its seconds, it is unclear, and nothing of it runs on."""
    script = f"sleep 1000 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(Unclear, match="sh has not ended after 0.3 s"):
        await Command(["sh", "-c", script], seconds=0.3).look(machine.system)
    child = (tmp_path / "child").read_text().strip()
    async with asyncio.timeout(10):
        while Path(f"/proc/{child}/stat").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
            await asyncio.sleep(0.01)
