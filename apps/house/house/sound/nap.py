"""The agent sleeps in the fleet while its machine does: else it would be lost there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

LONGEST_SECONDS = 30.0
"""So long it sleeps where nobody says that the machine is awake again. It is the time of the event loop, which stands
still while the machine is suspended."""


class Nap:
    """``asleep`` is that of the Runtime."""

    def __init__(self, asleep: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self._asleep = asleep
        self._entered = AsyncExitStack()
        self._began: float | None = None
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Asleep, and it is written down when this returns; begun twice, it lasts longer. Raises what
        ``Runtime.asleep`` does."""
        async with self._turn:
            if self._began is None:
                await self._entered.enter_async_context(self._asleep())
            self._began = asyncio.get_running_loop().time()

    async def end(self) -> None:
        """Awake. Raises nothing, and one that is awake already stays so."""
        async with self._turn:
            self._began = None
            await self._entered.aclose()

    async def end_if_too_long(self) -> None:
        """To be called every few seconds: awake, when it was asleep for LONGEST_SECONDS."""
        if self._began is not None and asyncio.get_running_loop().time() - self._began >= LONGEST_SECONDS:
            await self.end()
