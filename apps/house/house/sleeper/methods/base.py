"""What a way to sleep is."""

from __future__ import annotations

import asyncio
from typing import Protocol

from house.clock import Clock
from house.errors import HouseError

BEGIN_SECONDS = 30.0
"""For a sleep to begin that was begun."""
LOOK_SECONDS = 0.2
JITTER_SECONDS = 0.05
"""Two clocks are read one after the other."""


class SleepFailed(HouseError):
    """The machine is as awake as before; says why."""


class Method(Protocol):
    """A way to sleep, by the ``name`` that is kept in the history."""

    name: str

    async def check(self) -> None:
        """Whether it can be used here, as far as can be told awake. Raises SleepFailed, LogindFailed."""
        ...

    async def sleep(self) -> None:
        """Sleep; returns when the machine is awake again. Raises SleepFailed or LogindFailed when it has not."""
        ...


async def slept(clock: Clock, before: float) -> None:
    """Wait until the machine has been suspended and is back, which nothing tells but its clocks. ``before`` is what
    ``clock.suspended()`` said at first. Raises SleepFailed."""
    try:
        async with asyncio.timeout(BEGIN_SECONDS):
            while clock.suspended() <= before + JITTER_SECONDS:  # noqa: ASYNC110  # no event comes of a suspended clock
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise SleepFailed(f"it has not slept {BEGIN_SECONDS:g} s later") from None
