"""Programs beside PulseAudio: started and left running, found again by their arguments, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from house.sound.errors import NoEngine
from house.sound.pulse import feeding
from house.sound.pulse import programs as module
from house.sound.pulse.feeding import label
from house.sound.pulse.modules import Program, Running
from house.sound.pulse.programs import Programs
from house.sound.wanted import Feed

SLEEP = Program(("sleep", "86399.5"))
"""One for so long that nobody else has it."""
LONG = Program(("sleep", "86398.5"))
FALSE = Program(("false",))
PACKAGES = {"sleep": "coreutils", "false": "coreutils", "snapclient-of-nobody": "snapclient"}
AGENT = """
import asyncio, sys
from house.sound.pulse.feeding import Feeding, label
from house.sound.pulse.modules import Program
from house.sound.pulse.programs import Programs
from house.sound.wanted import Feed

async def agent():
    programs, feeding = Programs({"sleep": "coreutils"}), Feeding(None)
    program, feed = Program(tuple(sys.argv[1:3])), Feed("jazz", "radio", sys.argv[3], "station", "239.255.12.4", 5004)
    await programs.start(program)
    await feeding.begin(feed)
    print(programs._begun[program][0].pid, feeding._begun[feed.name].process.pid)
    programs.close()

if sys.version_info < (3, 12):
    asyncio.set_child_watcher(asyncio.PidfdChildWatcher())  # which later ones have by themselves
asyncio.run(agent())
"""
"""One that starts both kinds of programs, says which processes they are, and ends in good order."""


@pytest.fixture
async def programs() -> AsyncIterator[Programs]:
    """Those of the user who tests; none runs afterwards."""
    ours = Programs(PACKAGES)
    yield ours
    for each in ours.found(SLEEP.__eq__):
        await ours.stop(each)
    ours.close()


async def test_found_again(programs: Programs) -> None:
    """What was started runs on without us, and is found and ended by whoever comes next; where an engine has no
    programs, none is looked for."""
    await programs.start(SLEEP)
    (running,) = programs.found(SLEEP.__eq__)
    programs.close()
    others = Programs(PACKAGES)
    assert Programs({}).found(SLEEP.__eq__) == []
    async with asyncio.timeout(60):
        while others.found(SLEEP.__eq__) != [running]:  # it has its arguments a moment after it was begun
            await asyncio.sleep(0.01)
    await others.stop(running)
    assert others.found(SLEEP.__eq__) == []
    assert not others.ended()
    await others.stop(running)


async def test_the_agent_ends() -> None:
    """What plays a stream, and what plays a radio into one, play on when the agent ends in good order, with its loop
    and all that it knows."""
    others = Programs(PACKAGES)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        radio = Feed("jazz", "radio", f"http://127.0.0.1:{silent.getsockname()[1]}/", "station", "239.255.12.4", 5004)
        agent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", AGENT, *LONG.arguments, radio.source, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        said, _ = await agent.communicate()
        program, player = map(int, said.split())
        try:
            assert others.found(LONG.__eq__) == [Running(LONG, program)]
            assert label(radio).encode() in Path(f"/proc/{player}/cmdline").read_bytes()
        finally:
            await others.stop(Running(LONG, program))
            feeding.end(label(radio), player)


async def test_one_ends_at_once(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends as soon as it is started stirs only after a while, so that nobody starts it over and over; another
    one that ends then is not kept waiting."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 86_400.0)
    monkeypatch.setattr(module, "SOON", 86_400.0)
    await programs.start(FALSE)
    stirred = asyncio.create_task(programs.stirred())
    async with asyncio.timeout(60):
        await programs._ended.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not stirred.done()
    stirred.cancel()
    assert programs.ended()
    monkeypatch.setattr(module, "SOON", 0.0)
    await programs.start(SLEEP)
    (running,) = programs.found(SLEEP.__eq__)
    os.kill(running.process, signal.SIGKILL)
    async with asyncio.timeout(60):
        await programs.stirred()


async def test_one_ends(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends by itself stirs once, and is not found any more; where it has ended as soon as it was started, that
    is said of the next one."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(module, "SOON", 86_400.0)
    await programs.start(SLEEP)
    assert programs.failure(SLEEP) == ""
    (running,) = programs.found(SLEEP.__eq__)
    os.kill(running.process, signal.SIGKILL)
    async with asyncio.timeout(60):
        await programs.stirred()
    assert programs.ended()
    assert not programs.ended()
    assert programs.found(SLEEP.__eq__) == []
    await programs.start(SLEEP)
    assert programs.failure(SLEEP) == "sleep ends as soon as it is started, with exit code -9: sleep 86399.5"


async def test_another_process_has_its_number(programs: Programs) -> None:
    """A process that is not what was found is not ended."""
    other = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    await programs.stop(Running(SLEEP, other.pid))
    assert other.stdin is not None
    other.stdin.close()
    assert await other.wait() == 0


async def test_no_such_program(programs: Programs) -> None:
    """Where a program is not there, the reason names its package."""
    with pytest.raises(NoEngine, match="there is no snapclient-of-nobody on this host: apt install snapclient"):
        await programs.start(Program(("snapclient-of-nobody",)))
