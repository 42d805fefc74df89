"""Quick reads: those that are over before a thread would have heard of them.

To hand work to a thread and to be told of its result costs 90 µs where nothing else is to do, and the row of one object
is read in 60. So what has proven to be quick is run where it is asked for, in the loop, as long as it stays quick. Only
SQLite's files are read like this: who reads them waits for nobody who writes, and for no network.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

from sqlalchemy import Connection

from midflight.db.store import Store, options

T = TypeVar("T")

PROVEN = 20
"""So much credit a function needs to be run in the loop. Each quick run gives it one."""

MOST_CREDIT = 1_000

QUICK_SECONDS = 0.001
"""Of CPU time, in a thread: how much time passes there says how busy all others are. What is quick takes a tenth of it,
or, where somebody else has used the processor just before, a third."""

SLOW_SECONDS = 0.002
"""Of this thread's own time in the loop, in which it computes, or waits: not that in which the system, or the host of a
virtual machine, has given its processor to somebody else."""

COST = 100
"""What a slow run takes of the credit, for each SLOW_SECONDS that it took. Once in a while anything is slow, as is the
first run, which compiles its statements; what must wait for a disk, or reads more than it used to, goes back to its
thread for thousands of runs."""

BREATH = 16
"""After so many reads the loop has a turn: a task that reads again and again would never let it."""

_MOST_FUNCTIONS = 1_000


class QuickReads:
    """Used in one loop, with a connection that nobody else uses, and that waits for no lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection
        self._lasting = connection.begin()
        """A transaction of SQLAlchemy's for good, beneath which SQLite's own are begun and ended: to make one for each
        read costs a fourth of it."""
        self._store: Store | None = None
        self._credit: dict[CodeType, int] = {}
        self._without_breath = 0

    def takes(self, work: Callable[..., Any]) -> bool:
        """Whether this function has proven to be quick. What is made anew for each run never has."""
        code: Any = getattr(work, "__code__", None)
        return self._credit.get(code, 0) >= PROVEN

    async def run(self, work: Callable[..., Any], bound: Callable[[Connection], T], store: Store) -> T:
        """Do it here and now, in one transaction. Raises what it raises, and the driver's errors as they are."""
        if store is not self._store:
            self._connection.execution_options(**options(store))
            self._store = store
        began, before = time.perf_counter(), _used()
        if not self._lasting.is_active:
            self._lasting = self._connection.begin()
        self._driver.execute("BEGIN")
        try:
            result = bound(self._connection)
        finally:
            if self._driver.in_transaction:
                self._driver.execute("ROLLBACK")  # which also ends what was not read to its end
            seconds = time.perf_counter() - began
            if seconds >= SLOW_SECONDS:
                seconds = _ours(seconds, before, _used())
            self._note(work, -int(COST * seconds / SLOW_SECONDS) if seconds >= SLOW_SECONDS else 1)
        self._without_breath += 1
        if self._without_breath >= BREATH:
            self._without_breath = 0
            await asyncio.sleep(0)
        return result

    def timed(self, work: Callable[..., Any], bound: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """The same to be run in a thread, which gives it credit, or takes it."""

        def run(connection: Connection) -> T:
            began = time.thread_time()
            try:
                return bound(connection)
            finally:
                self._note(work, 1 if time.thread_time() - began < QUICK_SECONDS else -COST)

        return run

    def _note(self, work: Callable[..., Any], credit: int) -> None:
        code: Any = getattr(work, "__code__", None)
        if code in self._credit or (code is not None and len(self._credit) < _MOST_FUNCTIONS):
            self._credit[code] = min(MOST_CREDIT, self._credit.get(code, 0) + credit)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _used() -> tuple[int, float]:
    """How often this thread has waited for something, and the seconds of CPU that it has taken."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw, time.thread_time()


def _ours(seconds: float, before: tuple[int, float], after: tuple[int, float]) -> float:
    """How many of these seconds this thread itself took."""
    return seconds if after[0] > before[0] else after[1] - before[1]
