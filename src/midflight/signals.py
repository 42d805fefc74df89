"""Signals: what a process is told from outside, while it starts and while it works."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Self


class Signals:
    """SIGTERM and SIGINT give a start up, and tell a running service to stop; the second one kills. SIGHUP lets a
    running service read its configuration again."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._starting = asyncio.current_task()
        self._reload: Callable[[], None] | None = None
        self._asked_early = False

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_reload)
        return self

    def __exit__(self, *_: object) -> None:
        self._let_kill()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)

    def is_ready(self, reload: Callable[[], None]) -> None:
        """From now on, a signal drains, or reloads; one that came while the service started reloads now."""
        self._starting, self._reload = None, reload
        if self._asked_early:
            reload()

    def _told_to_stop(self) -> None:
        self._let_kill()
        self.stop.set()
        if self._starting is not None:
            self._starting.cancel()

    def _told_to_reload(self) -> None:
        if self._reload is None:
            self._asked_early = True
        else:
            self._reload()

    def _let_kill(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
