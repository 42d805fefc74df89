from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator

import pytest

from midflight.db.worker import Worker


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker("work")
    yield worker
    worker.join()


async def test_in_order(worker: Worker) -> None:
    """Work is done in the order in which it was given, and each gets its own result, or error."""
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        if number == 3:
            raise ValueError(number)
        return number

    found = await asyncio.gather(*(worker.run(lambda n=n: work(n)) for n in range(100)), return_exceptions=True)
    assert done == [*range(100)]
    assert [found[0], found[99], repr(found[3])] == [0, 99, "ValueError(3)"]


async def test_context(worker: Worker) -> None:
    """Work sees the context variables of whoever gave it, and leaves none behind."""
    name = contextvars.ContextVar("name", default="nobody")

    def work() -> str:
        found = name.get()
        name.set("the thread")
        return found

    name.set("one")
    assert [await worker.run(work), await worker.run(work), name.get()] == ["one", "one", "one"]


async def test_cancelled(worker: Worker) -> None:
    """Whoever is cancelled hears nothing; what had not begun is dropped, and what had begun is done."""
    began, go_on, done = threading.Event(), threading.Event(), []

    def slow() -> None:
        began.set()
        go_on.wait(60)
        done.append("slow")

    first, second = (asyncio.create_task(worker.run(work)) for work in (slow, lambda: done.append("dropped")))
    await asyncio.to_thread(began.wait, 60)
    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    go_on.set()
    await worker.run(lambda: done.append("third"))
    assert done == ["slow", "third"]


async def test_end() -> None:
    """The last work comes after all that was given, and then the thread is gone."""
    worker, done = Worker("that ends"), list[int]()
    given = [asyncio.create_task(worker.run(lambda n=n: done.append(n))) for n in range(3)]
    await asyncio.sleep(0)
    worker.end_with(lambda: done.append(-1))
    await asyncio.to_thread(worker.join)
    await asyncio.gather(*given)
    assert done == [0, 1, 2, -1]
    assert "that ends" not in {thread.name for thread in threading.enumerate()}


async def test_forgotten() -> None:
    """A worker that nobody has any more takes its thread along."""
    worker = Worker("that is forgotten")
    await worker.run(int)
    (thread,) = (each for each in threading.enumerate() if each.name == "that is forgotten")
    del worker
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


def test_a_loop_that_is_gone() -> None:
    """Results for a closed loop are for nobody; the next loop gets its own."""
    worker, go_on = Worker("work"), threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(worker.run(lambda: go_on.wait(60)))
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(leave())
    go_on.set()

    async def work() -> int:
        return await worker.run(lambda: 1)

    assert [asyncio.run(work()), asyncio.run(work())] == [1, 1]
    worker.join()
