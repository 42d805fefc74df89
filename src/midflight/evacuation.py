"""A host is emptied: the application moves away what lives there, for as long as an operator wants it to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from midflight.telemetry import log

PAUSE_SECONDS = 1.0
"""Between two calls of the application's hook."""
ANSWER_SECONDS = 1.0
"""So long whoever asks waits for the first word of it."""
MOST_NAMED = 100


class Evacuation:
    """``hook`` moves away what it can now, and says what is still here. It is called again until that is nothing."""

    def __init__(self, hook: Callable[[], Awaitable[Sequence[str]]] | None) -> None:
        self._hook = hook
        self._left: list[str] | None = None if hook else []
        self._task: asyncio.Task[None] | None = None
        self._told = asyncio.Event()

    async def go_on(self) -> list[str] | None:
        """What is still here, a hundred things at most; None while that is not known yet. Begins it if need be."""
        if self._task is None and self._hook is not None:
            self._task = asyncio.create_task(self._empty(self._hook), name="evacuation")
        if self._left is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), ANSWER_SECONDS)
        return self._left

    async def stop(self) -> None:
        """Leave the rest where it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _empty(self, hook: Callable[[], Awaitable[Sequence[str]]]) -> None:
        while True:
            try:
                self._left = [str(each) for each in await hook()][:MOST_NAMED]
            except Exception as wrong:  # noqa: BLE001  # an operator waits for it: the next try may go well
                log.exception("service.evacuation_failed")
                self._left = [f"whatever is here: evacuate() failed with {type(wrong).__name__}: {wrong}"]
            self._told.set()
            await asyncio.sleep(PAUSE_SECONDS)
