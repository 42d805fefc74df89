"""Threads: where an endpoint runs that its service wrote as a plain ``def``, so that it holds up nobody else.

A thread cannot be stopped from outside. Work that is cancelled is told so where it asks: in ``from_thread`` and in
``check_cancelled``; until it ends, it is waited for.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from midflight.rpc.limits import Line

R = TypeVar("R")

MOST_THREADS = 32
"""As many plain endpoints run at once in a process; work beyond waits in line like that beyond any other limit."""


def is_plain(method: Callable[..., Any]) -> bool:
    """Whether it is a ``def``, below all decorators that name what they wrap."""
    return not inspect.iscoroutinefunction(inspect.unwrap(method))


class Threads:
    """A pool for the plain endpoints of one service; used from one loop.

    The standard pool's threads are waited for when a process ends; these are not, so that work which outlasts the drain
    cannot keep the process.
    """

    def __init__(self, most: int = MOST_THREADS) -> None:
        self.line = Line(most, "the threads of plain endpoints")
        """To be passed before ``run``; nothing waits within the pool."""
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._started = self._idle = 0

    async def run(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run it in a thread, under a copy of our contextvars. Raises what it raises.

        When we are cancelled it is told, and waited for: what it finished all the same has happened, and is returned.
        """
        job = _Job(partial(work, *args, **kwargs))
        self._begin(job)
        try:
            result = await asyncio.shield(job.done)
        except asyncio.CancelledError:
            if job.done.done():  # a cancellation that the work brought upon itself
                raise
            job.cancel()
            await asyncio.wait({job.done})
            if job.done.cancelled() or job.done.exception() is not None:
                raise
            result = job.done.result()
        return await result if inspect.isawaitable(result) else result

    def close(self) -> None:
        """Let the threads end, each when its work does."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _begin(self, job: _Job) -> None:
        if self._idle:
            self._idle -= 1
        else:
            self._started += 1
            threading.Thread(target=self._work, name=f"endpoint {self._started}", daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            try:
                job.loop.call_soon_threadsafe(self._ended, job)
            except RuntimeError:  # the loop has ended, and with it everyone who waits
                return
            del job  # nor its arguments: the next one may be long in coming

    def _ended(self, job: _Job) -> None:
        self._idle += 1
        job.tell()


class _Job:
    """One run in a thread; ``done`` is its outcome, in the loop."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Any] = self.loop.create_future()
        self.cancelled = threading.Event()
        self._asking: asyncio.Task[Any] | None = None
        self._work, self._context = work, copy_context()
        self._result: Any = None
        self._error: BaseException | None = None
        self.thread: threading.Thread | None = None

    # In the thread.

    def run(self) -> None:
        try:
            self._result = self._context.run(self._run)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it goes to who waits
            self._error = RuntimeError(f"it raised {error!r}") if isinstance(error, StopIteration) else error

    def _run(self) -> Any:
        self.thread = threading.current_thread()
        _job.set(self)
        self.check()
        return self._work()

    def check(self) -> None:
        if self.cancelled.is_set():
            raise asyncio.CancelledError

    def ask(self, question: Awaitable[R]) -> R:
        answer = asyncio.run_coroutine_threadsafe(self._asked(question), self.loop)
        try:
            return answer.result()
        finally:
            self.check()

    # In the loop.

    async def _asked(self, question: Awaitable[R]) -> R:
        self._asking = asyncio.current_task()
        if self.cancelled.is_set():
            if inspect.iscoroutine(question):
                question.close()
            raise asyncio.CancelledError
        try:
            return await question
        finally:
            self._asking = None

    def cancel(self) -> None:
        self.cancelled.set()
        if self._asking is not None:
            self._asking.cancel()

    def tell(self) -> None:
        if isinstance(self._error, asyncio.CancelledError):
            self.done.cancel()
        elif self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(self._result)


_job: ContextVar[_Job] = ContextVar("midflight_job")


def from_thread(question: Awaitable[R]) -> R:
    """Await something from a plain ``def`` endpoint: a remotable, a call. Blocks its thread until the answer is there.

    Raises what it raises; asyncio.CancelledError once the endpoint's own work is cancelled; RuntimeError elsewhere.
    """
    return _here("from_thread(…)", question).ask(question)


def check_cancelled() -> None:
    """To be asked now and then by a plain ``def`` endpoint that takes long: raises asyncio.CancelledError once nobody
    wants its work any more, since its caller left or the service ends. Raises RuntimeError elsewhere."""
    _here("check_cancelled()").check()


def _here(what: str, unasked: object = None) -> _Job:
    job = _job.get(None)
    if job is None or threading.current_thread() is not job.thread:
        if inspect.iscoroutine(unasked):
            unasked.close()
        raise RuntimeError(f"{what} is for the thread of a plain def endpoint; in an async def, await")
    return job
