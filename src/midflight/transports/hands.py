"""What a listener has in hand: its running tasks; and how one that runs beside its work is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from midflight.telemetry import log

T = TypeVar("T")

CANCEL_SECONDS = 1.0
"""How long a cancelled task may take to clean up before nobody waits for it any more."""


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has ended, whatever became of it."""
    task.cancel()
    await asyncio.wait({task})


class Hands:
    """A set of tasks, held until they are done. Each runs in a copy of the context that made the set, so that one
    message never sees what another left behind, nor what its sender had bound."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context = copy_context()

    def take(self, work: Coroutine[Any, Any, T], ended: Callable[[], None] | None = None) -> asyncio.Task[T]:
        """Start this work at once, beside the rest. ``ended`` is called when it is done, whatever became of it."""
        task = asyncio.get_running_loop().create_task(work, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._let_go if ended is None else partial(self._let_go, ended=ended))
        return task

    async def finish(self, timeout: float) -> None:
        """Wait until nothing is in hand, at most ``timeout`` seconds; what is left runs on."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._tasks and (left := deadline - loop.time()) > 0:
            await asyncio.wait(set(self._tasks), timeout=left)

    async def drop(self) -> None:
        """Cancel what is left."""
        for task in self._tasks:
            task.cancel()
        await self.finish(CANCEL_SECONDS)

    def _let_go(self, task: asyncio.Task[Any], ended: Callable[[], None] | None = None) -> None:
        self._tasks.discard(task)
        if ended is not None:
            ended()
        if not task.cancelled() and (error := task.exception()):
            log.error("transport.task_failed", error=repr(error), exc_info=error)
