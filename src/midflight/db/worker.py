"""A thread that does the work of a loop, one piece after the other, in the order in which it was given.

What asyncio has for that makes a future of a thread's, a lock and a wake-up of the loop for each piece; here a thread that
is busy goes on with the next one, and results that are ready together are told together.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Piece:
    """Work, and who waits for it."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]
    within: contextvars.Context = field(default_factory=contextvars.copy_context)
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.within.run(self.work)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is for whoever waits
            self.error = error
            del self  # which the error would keep, by its traceback

    def tell(self) -> None:
        if self.future.done():  # nobody waits any more
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Worker:
    """Belongs to the loop that gives it something."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting: deque[_Piece] = deque()
        self._ready: deque[_Piece] = deque()
        self._is_working = self._is_telling = False

    async def run(self, work: Callable[[], T]) -> T:
        """Have it done in the thread. Whoever is cancelled does not stop what has begun; the rest is dropped."""
        piece = _Piece(work, asyncio.get_running_loop().create_future())
        self._waiting.append(piece)
        if not self._is_working:
            self._is_working = True
            self._thread.submit(self._work)
        result: T = await piece.future
        return result

    def end_with(self, last: Callable[[], object]) -> None:
        """Do what was given, then this; nothing can be given any more."""
        self._thread.submit(last)
        self._thread.shutdown(wait=False)

    def join(self) -> None:
        """Wait until all is done. May block for long."""
        self._thread.shutdown()

    # In the thread. Each flag is lowered before the look that finds nothing, so that nothing is left lying: somebody who
    # sees it raised has put down his piece before that look.

    def _work(self) -> None:
        while self._waiting or self._lowered():
            piece = self._waiting.popleft()
            if not piece.future.cancelled():
                piece.run()
                self._ready.append(piece)
                if not self._is_telling:
                    self._is_telling = True
                    self._wake(piece.future.get_loop())

    def _lowered(self) -> bool:
        self._is_working = False
        return bool(self._waiting)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._tell)
        except RuntimeError:  # the loop was closed, and nobody waits any more
            self._ready.clear()
            self._is_telling = False

    def _tell(self) -> None:
        self._is_telling = False
        while self._ready:
            self._ready.popleft().tell()
