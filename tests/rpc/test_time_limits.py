"""Time limits of many tasks by one timer: each holds, and meddles with no other cancellation."""

from __future__ import annotations

import asyncio

import pytest

from midflight.rpc.time_limits import TimeLimits


async def test_work_that_takes_longer_is_cancelled() -> None:
    """At its limit work is cancelled, and who waits for it gets TimeoutError; other work goes on."""
    limits, loop, ended = TimeLimits(), asyncio.get_running_loop(), list[str]()

    async def work(name: str, seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        finally:
            ended.append(name)
        return name

    slow = asyncio.create_task(limits.hold(loop.time() + 0.05, work("slow", 60)))
    quick = asyncio.create_task(limits.hold(loop.time() + 60, work("quick", 0.1)))
    with pytest.raises(TimeoutError):
        await slow
    assert await quick == "quick"
    assert ended == ["slow", "quick"]
    assert slow.cancelling() == 0


async def test_a_cancellation_from_outside_passes() -> None:
    """Who is cancelled before the limit is cancelled, also by a limit of its own round it."""
    limits, loop = TimeLimits(), asyncio.get_running_loop()
    task = asyncio.create_task(limits.hold(loop.time() + 60, asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await limits.hold(loop.time() + 60, asyncio.sleep(60))


async def test_limits_within_limits() -> None:
    """The inner limit ends the inner work alone, and the outer one both."""
    limits, loop = TimeLimits(), asyncio.get_running_loop()

    async def outer() -> str:
        with pytest.raises(TimeoutError):
            await limits.hold(loop.time() + 0.01, asyncio.sleep(60))
        await asyncio.sleep(0.01)
        return "went on"

    assert await limits.hold(loop.time() + 60, outer()) == "went on"
    with pytest.raises(TimeoutError):
        await limits.hold(loop.time() + 0.01, limits.hold(loop.time() + 60, asyncio.sleep(60)))


async def test_what_fails_by_itself_raises_its_own_error() -> None:
    """An error of the work is raised as it is."""
    with pytest.raises(ZeroDivisionError):
        await TimeLimits().hold(asyncio.get_running_loop().time() + 60, _divided(0))


async def _divided(by: int) -> float:
    return 1 / by
