"""The watchdog: a blocked loop has a name."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from midflight import telemetry
from midflight.watchdog import Watchdog

SECONDS = 0.4


def counted() -> int:
    """How often a loop was found blocked."""
    return sum(entry["value"] for entry in telemetry.counted() if entry["name"] == "service.loop_blocked")


def block() -> None:
    time.sleep(3 * SECONDS)


async def watched(*work: Callable[[], None], blocked: float = SECONDS) -> list[dict[str, Any]]:
    """What is told while a watched loop does this."""
    with capture_logs() as logs, Watchdog(blocked, SECONDS / 10):
        for each in work:
            await asyncio.sleep(SECONDS / 2)
            each()
        await asyncio.sleep(SECONDS)
    return [dict(log) for log in logs if log["event"] == "service.loop_blocked"]


async def test_a_blocked_loop_is_named() -> None:
    """The log has the seconds, the application's line that blocks, and the stack that leads to it; it counts once."""
    before = counted()
    (told,) = await watched(block)
    assert told["seconds"] >= SECONDS
    assert (told["line"], told["log_level"]) == (told["stack"][-1], "error")
    assert told["line"].startswith(f"{Path(__file__)}:")
    assert told["line"].endswith("in block: time.sleep(3 * SECONDS)")
    assert "in watched: each()" in told["stack"][-2]
    assert counted() == before + 1


async def test_the_line_is_the_application_s_own() -> None:
    """Where a library blocks, the line is the one that called it."""
    (told,) = await watched(lambda: threading.Event().wait(3 * SECONDS) and None)
    assert "threading.py" in told["stack"][-1]
    assert told["line"].startswith(f"{Path(__file__)}:")


async def test_it_is_told_seldom_and_counted_each_time() -> None:
    """Of several blocks within a few seconds one is told, and all are counted."""
    before = counted()
    assert len(await watched(block, block, block)) == 1
    assert counted() == before + 3


async def test_a_loop_that_works_is_left_alone() -> None:
    """Nothing is told of a loop that answers, and the thread ends with the block."""
    assert await watched(*[lambda: time.sleep(SECONDS / 20)] * 5, blocked=30) == []
    with Watchdog(SECONDS, SECONDS / 10) as dog:
        pass
    await asyncio.to_thread(dog._thread.join, 60)
    assert not dog._thread.is_alive()
