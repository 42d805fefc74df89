"""A row function that does not come to an end is stopped: it would hold its thread, and with it the database, for ever.

An exception is raised in the thread that runs it, as Python's own C API offers it (PyThreadState_SetAsyncExc). It
arrives between two steps of Python code; what waits inside a C library is stopped when that returns.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

ROW_SECONDS = 1.0
"""How long a row function may compute for one row."""
_WAITING = 10
"""It may take so many times as long in all: what waits may be waiting for a machine or a database that is busy."""
_LOOKS = 4
"""How often it is looked at while that time passes."""
_ARRIVAL_SECONDS = 0.1
"""How long a stop that was called for is waited for, after the function ended by itself."""


class _Stop(BaseException):
    """Arrives in the function; no ``except Exception`` in there keeps it."""


class Limit:
    """Runs functions, one at a time, in the thread that made it. Use ``limited``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._since: float | None = None
        self._first_look = (0.0, 0.0)
        """Since when that ran which a look met first, and what the thread had computed by then."""
        self._called_for = False

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result. Raises TimeoutError where it computes for too long, or waits for ten times as long."""
        try:
            self._since = time.monotonic()
            try:
                return function(*arguments)
            except _Stop:
                self._called_for = False
                raise
            finally:
                self._settle()
        except _Stop:
            raise TimeoutError(f"the row function did not end within {self._seconds:g} s") from None

    def _settle(self) -> None:
        """Call for no stop from here on; one that was called for arrives here at the latest."""
        with self._lock:
            self._since = None
        if self._called_for:
            self._wait_for_it()

    def _wait_for_it(self) -> None:
        until = time.monotonic() + _ARRIVAL_SECONDS
        while self._called_for and time.monotonic() < until:
            pass
        self._called_for = False

    @property
    def interval(self) -> float:
        """How often to look, in seconds."""
        return self._seconds / _LOOKS

    def look(self) -> None:
        """Call for a stop, if what runs has taken too long. From another thread."""
        with self._lock:
            if self._since is not None and self._takes_too_long(self._since):
                self._called_for = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(_Stop))

    def _takes_too_long(self, since: float) -> bool:
        computed = time.clock_gettime(self._clock)
        if self._first_look[0] != since:
            self._first_look = since, computed
        return computed - self._first_look[1] > self._seconds or time.monotonic() - since > _WAITING * self._seconds


class _Watcher:
    """One thread for all limits of the process: to start one for each chunk would hold up the chunk."""

    def __init__(self) -> None:
        self._limits: set[Limit] = set()
        self._lock, self._some = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, limit: Limit) -> None:
        with self._lock:
            self._limits.add(limit)
            self._some.set()
            if self._thread is None or not self._thread.is_alive():  # none is, after a fork
                self._thread = threading.Thread(target=self._watch, name="row functions", daemon=True)
                self._thread.start()

    def remove(self, limit: Limit) -> None:
        with self._lock:
            self._limits.discard(limit)

    def _watch(self) -> None:
        while True:
            self._some.wait()
            time.sleep(self._look())

    def _look(self) -> float:
        with self._lock:
            limits = list(self._limits)
            if not limits:
                self._some.clear()
        for limit in limits:
            limit.look()
        return min((limit.interval for limit in limits), default=0.0)


_watcher = _Watcher()


@contextmanager
def limited(seconds: float = ROW_SECONDS) -> Iterator[Limit]:
    """A limit for the functions that are run in the block, each of which may take so many seconds."""
    limit = Limit(seconds)
    _watcher.add(limit)
    try:
        yield limit
    finally:
        _watcher.remove(limit)
