"""What each contender is asked for, and how the asking is timed: the same for coroutines and for threads."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.objects import payload

TEXT = "x" * 100
"""What an echo says."""
UUID = payload.uuid(1)
"""The instance that is read and saved."""
VALUES = {"project_id": "4a5b6c7d", "user_id": "0c1d2e3f"}
"""The context that goes with every call."""
CALL_SECONDS = 5.0
"""The deadline of every call: the configuration's own."""

Times = list[float]


def measured(times: Times, seconds: float) -> dict[str, float]:
    """The median time of one call in microseconds, calls per second, and how many there were."""
    return {"p50": statistics.median(times) * 1e6, "rate": len(times) / seconds, "calls": len(times)}


async def by_tasks(call: Callable[[], Awaitable[object]], in_flight: int, seconds: float) -> dict[str, float]:
    """So many tasks call again and again."""
    times: Times = []
    began = time.perf_counter()

    async def caller() -> None:
        while (before := time.perf_counter()) - began < seconds:
            await call()
            times.append(time.perf_counter() - before)

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return measured(times, time.perf_counter() - began)


def by_threads(call: Callable[[], object], in_flight: int, seconds: float) -> dict[str, float]:
    """So many threads call again and again."""
    times: Times = []
    wrong: list[Exception] = []
    began = time.perf_counter()

    def caller() -> None:
        try:
            while (before := time.perf_counter()) - began < seconds:
                call()
                times.append(time.perf_counter() - before)
        except Exception as error:  # noqa: BLE001  # whatever it is, the one who measures raises it
            wrong.append(error)

    threads = [threading.Thread(target=caller) for _ in range(in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return measured(times, time.perf_counter() - began)


def change(obj: Any) -> None:
    """Change two fields of an instance, to what they do not hold."""
    obj.progress, obj.task_state = (obj.progress + 1) % 100, "spawning" if obj.task_state is None else None
