"""Time limits round calls, which hold whatever a transport does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any, TypeVar

from midflight.transports.deadlines import Deadlines

T = TypeVar("T")


class TimeLimits:
    """What ``asyncio.timeout_at`` does, for many tasks by one timer of the loop and so at a fifth of the price."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._deadlines = Deadlines(self._tasks, self._missed)
        self._numbers = count()

    async def hold(self, at: float, work: Coroutine[Any, Any, T]) -> T:
        """Do this work, until a time of the loop's clock at most. Raises TimeoutError."""
        task, name = asyncio.current_task(), str(next(self._numbers))
        assert task is not None
        before = task.cancelling()
        self._tasks[name] = task
        self._deadlines.add(name, at)
        try:
            return await work
        except asyncio.CancelledError:
            if name not in self._tasks and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._tasks.pop(name, None)

    def _missed(self, name: str) -> None:
        self._tasks.pop(name).cancel()
