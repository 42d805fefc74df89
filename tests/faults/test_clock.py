"""The clock of a host jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")


@on("nats-tls", "rabbit-tls")
async def test_jumps(stage: Stage) -> None:
    """The time of a conductor and an agent jumps an hour ahead, and then an hour behind: nothing is taken for
    expired, overdue or dead."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    clock = stage.folder / "clock"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    before = set(shared_by_the_library())
    async with stage.moved("h1", more=faked, services=("conductor", "agent")), stage.case("clock jumps") as case:
        for jump in ("+3600", "-3600", "+0"):
            clock.write_text(jump)
            await asyncio.sleep(2.5)
        await case.mended()
    for left in set(shared_by_the_library()) - before:
        left.unlink(missing_ok=True)
    assert case.counts.wrong() == {}


def shared_by_the_library() -> Iterator[Path]:
    """What libfaketime has in memory for each of its processes; it is left behind by those that are killed."""
    return Path("/dev/shm").glob("*faketime_*")
