"""Programs beside PulseAudio: started and left running, found again by their arguments, and ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from house.sound.errors import NoEngine
from house.sound.pulse.modules import Program, Running
from house.sound.pulse.programs import Programs

SLEEP = Program(("sleep", "86399.5"))
"""One for so long that nobody else has it."""


@pytest.fixture
async def programs() -> AsyncIterator[Programs]:
    """Those of the user who tests; none runs afterwards."""
    ours = Programs({"snapclient-of-nobody": "snapclient"})
    yield ours
    for each in ours.found(SLEEP.__eq__):
        await ours.stop(each)
    ours.close()


async def test_found_again(programs: Programs) -> None:
    """What was started runs on without us, and is found and ended by whoever comes next."""
    await programs.start(SLEEP)
    (running,) = programs.found(SLEEP.__eq__)
    programs.close()
    others = Programs({})
    async with asyncio.timeout(60):
        while others.found(SLEEP.__eq__) != [running]:  # it has its arguments a moment after it was begun
            await asyncio.sleep(0.01)
    await others.stop(running)
    assert others.found(SLEEP.__eq__) == []
    assert not others.ended()
    await others.stop(running)


async def test_one_ends(programs: Programs) -> None:
    """One that ends by itself stirs once, and is not found any more; where it has ended as soon as it was started, that
    is said of the next one."""
    await programs.start(SLEEP)
    assert programs.failure(SLEEP) == ""
    (running,) = programs.found(SLEEP.__eq__)
    os.kill(running.process, 9)
    async with asyncio.timeout(60):
        await programs.stirred()
    assert programs.ended()
    assert not programs.ended()
    assert programs.found(SLEEP.__eq__) == []
    await programs.start(SLEEP)
    assert programs.failure(SLEEP) == "sleep ends as soon as it is started: sleep 86399.5"


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
