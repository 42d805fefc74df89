"""Threads that do the work of a loop: each takes the next piece, in the order in which they were given.

What asyncio has for that makes a future with a lock for each piece, and wakes the loop for each; here results that are
ready together are told together.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Piece:
    """Work, and who waits for it."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]
    writes: bool
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
    """Belongs to the loop that gives it something. Its threads end with it, and with the interpreter, when all that was
    given is done."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self._given: SimpleQueue[_Piece | Callable[[], object] | None] = SimpleQueue()
        self._results = _Results()
        what = (self._given, self._results)
        self._threads = [threading.Thread(target=_work, args=what, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        _all.add(self)

    async def run(self, work: Callable[[], T], *, writes: bool = False) -> T:
        """Have it done in a thread. Whoever is cancelled does not stop what has begun; the rest is dropped."""
        piece = _Piece(work, asyncio.get_running_loop().create_future(), writes)
        self._results.writing += writes
        self._given.put(piece)
        result: T = await piece.future
        return result

    @property
    def is_writing(self) -> bool:
        """Whether something that writes was given of whose end the loop has not heard yet. To be asked in the loop."""
        return self._results.writing > 0

    def end_with(self, last: Callable[[], object]) -> None:
        """Do what was given, then this in each thread, as its last; give nothing any more."""
        self._put_for_each(last)

    def join(self) -> None:
        """Wait until all is done. May block for long."""
        self._put_for_each(None)
        for thread in self._threads:
            thread.join()

    def __del__(self) -> None:
        self._put_for_each(None)

    def _put_for_each(self, last: Callable[[], object] | None) -> None:
        for _ in self._threads:
            self._given.put(last)


_all: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _join_all() -> None:
    for worker in list(_all):
        worker.join()


def _work(given: SimpleQueue[Any], results: _Results) -> None:
    """What a thread does. It knows no Worker, which could not go otherwise."""
    while isinstance(piece := given.get(), _Piece):
        if not piece.future.cancelled():
            piece.run()
        results.add(piece)
        del piece
    if piece is not None:
        piece()


class _Results:
    """What was done, on its way from the threads to the loop."""

    def __init__(self) -> None:
        self._ready: deque[_Piece] = deque()
        self._is_telling = False
        self.writing = 0
        """How many pieces that write were given and not told yet. It is changed in the loop alone."""

    def add(self, piece: _Piece) -> None:
        """In the thread. Who sees the flag raised has put down its piece before the loop looks for the last one."""
        self._ready.append(piece)
        if self._is_telling:
            return
        self._is_telling = True
        try:
            piece.future.get_loop().call_soon_threadsafe(self._tell)
        except RuntimeError:  # the loop was closed, and nobody waits any more
            self._ready.clear()
            self._is_telling = False

    def _tell(self) -> None:
        self._is_telling = False
        while self._ready:
            piece = self._ready.popleft()
            self.writing -= piece.writes
            piece.tell()
