from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from midflight.transports import hands as hands_module
from midflight.transports.hands import Hands

user: ContextVar[str] = ContextVar("user", default="nobody")


async def test_finish_waits_for_work_that_begets_work() -> None:
    """Finishing ends when nothing is in hand, also what was taken meanwhile."""
    hands, done = Hands(), []

    async def work(left: int) -> None:
        await asyncio.sleep(0.001)
        done.append(left)
        if left:
            hands.take(work(left - 1))

    hands.take(work(3))
    await hands.finish(timeout=5)
    assert done == [3, 2, 1, 0]


async def test_finish_then_drop() -> None:
    """After its time, finishing leaves work running; dropping cancels it, and does not wait for what will not end."""
    hands, never = Hands(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await never.wait()
        except asyncio.CancelledError:
            await never.wait()

    tasks = [hands.take(never.wait()), hands.take(stubborn())]
    await hands.finish(timeout=0.01)
    assert [task.done() for task in tasks] == [False, False]
    hands_module.CANCEL_SECONDS, bound = 0.05, hands_module.CANCEL_SECONDS
    await hands.drop()
    hands_module.CANCEL_SECONDS = bound
    assert [task.done() for task in tasks] == [True, False]
    tasks[1].cancel()
    await asyncio.wait(tasks)


async def test_each_task_has_a_context_of_its_own() -> None:
    """Work sees the context in which the hands were made, neither that of who gave it, nor what other work has set."""
    user.set("owner")
    hands, seen = Hands(), []

    async def work() -> None:
        seen.append(user.get())
        user.set("somebody")

    user.set("sender")
    for _ in range(2):
        hands.take(work())
    await hands.finish(timeout=5)
    assert (seen, user.get()) == (["owner", "owner"], "sender")


async def test_failed_work_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Work that ends with an error is logged, and is no longer in hand."""
    hands = Hands()

    async def work() -> None:
        raise KeyError("lost")

    hands.take(work())
    await hands.finish(timeout=5)
    assert "transport.task_failed" in capsys.readouterr().out
