"""A watchdog: notices a blocked event loop from a thread beside it, and names the line that blocks it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import Self

from midflight.telemetry import count, log

BLOCKED_SECONDS = 1.0
"""A loop that answers later than this holds up calls, beats and keep-alives of everyone in its process."""
PAUSE_SECONDS = 0.5
QUIET_SECONDS = 10.0
"""It is told no more often than this."""
_GRACE_SECONDS = 0.05
"""Where the whole process stood still, the loop answers as soon as we can ask again."""
_DEPTH = 6
"""Lines of the stack that are told, the innermost last."""

_OURS, _LIBRARY = str(Path(__file__).parent) + os.sep, str(Path(os.__file__).parent) + os.sep


class Watchdog:
    """Watches the loop in which it is entered, until the end of the block."""

    def __init__(self, seconds: float = BLOCKED_SECONDS, pause: float = PAUSE_SECONDS) -> None:
        self._seconds, self._pause = seconds, pause
        self._ended = threading.Event()
        self._said = float("-inf")

    def __enter__(self) -> Self:
        self._loop, self._watched = asyncio.get_running_loop(), threading.get_ident()
        facts = copy_context()  # what is bound to the events of this process
        self._thread = threading.Thread(target=facts.run, args=(self._watch,), name="watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._pause):
            try:
                self._ask()
            except RuntimeError:  # the loop is closed
                return

    def _ask(self) -> None:
        answered, asked = threading.Event(), time.monotonic()
        self._loop.call_soon_threadsafe(answered.set)
        blocked = False
        while not (answered.wait(self._seconds) or answered.wait(_GRACE_SECONDS) or self._ended.is_set()):
            blocked = True
            self._say(time.monotonic() - asked)
        if blocked:
            self._loop.call_soon_threadsafe(count, "service.loop_blocked")

    def _say(self, seconds: float) -> None:
        if time.monotonic() - self._said < QUIET_SECONDS:
            return
        self._said = time.monotonic()
        stack = traceback.extract_stack(sys._current_frames().get(self._watched))  # noqa: SLF001  # there is no other way
        facts = {"line": _shown(_culprit(stack)), "stack": [_shown(frame) for frame in stack[-_DEPTH:]]}
        log.error("service.loop_blocked", seconds=round(seconds, 1), **facts)


def _culprit(stack: traceback.StackSummary) -> traceback.FrameSummary:
    """The innermost line of the application's own; where there is none, of all."""
    own = [frame for frame in stack if not _foreign(frame.filename)]
    return (own or stack)[-1]


def _foreign(filename: str) -> bool:
    return filename.startswith(("<", _OURS, _LIBRARY)) or f"{os.sep}site-packages{os.sep}" in filename


def _shown(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip(": ")
