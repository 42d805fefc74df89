"""How long the last remotables took in this process: what tells the sweeper that it is in somebody's way."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_KEPT = 1_000
_SECONDS = 60.0
"""Older ones say nothing any more."""
_ENOUGH = 20
"""So many there must be for a p99 to mean something."""


class Latency:
    """The last thousand durations, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._took: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def took(self, seconds: float) -> None:
        """One that has just ended."""
        self._took.append((self._clock(), seconds))

    @property
    def p99(self) -> float | None:
        """Of the last minute; None for too few."""
        since = self._clock() - _SECONDS
        recent = sorted(seconds for at, seconds in self._took if at >= since)
        return recent[int(len(recent) * 0.99)] if len(recent) >= _ENOUGH else None
