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
"""How long a row function may take for one row."""
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
        self._lock, self._over = threading.Lock(), threading.Event()
        self._since: float | None = None
        self._called_for = False

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result. Raises TimeoutError where it takes too long."""
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
        until = time.monotonic() + _ARRIVAL_SECONDS
        while self._called_for and time.monotonic() < until:
            pass
        self._called_for = False

    def watch(self) -> None:
        """In a thread of its own: look at what runs, until it is over."""
        while not self._over.wait(self._seconds / _LOOKS):
            with self._lock:
                if self._since is not None and time.monotonic() - self._since > self._seconds:
                    self._called_for = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(_Stop))

    def end(self) -> None:
        """Watch no longer."""
        self._over.set()


@contextmanager
def limited(seconds: float = ROW_SECONDS) -> Iterator[Limit]:
    """A limit for the functions that are run in the block, each of which may take so many seconds."""
    limit = Limit(seconds)
    watching = threading.Thread(target=limit.watch, name="row functions", daemon=True)
    watching.start()
    try:
        yield limit
    finally:
        limit.end()
        watching.join()
