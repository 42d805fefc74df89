"""How fast rows are migrated, as somebody who watches sees it, and when they are likely to be done."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable

_CHUNKS = 20
"""The speed is that of so many chunks."""


class Speed:
    """How many rows a second, from the last chunks and the pauses between them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque(maxlen=_CHUNKS + 1)

    def looked(self, rows: int) -> None:
        """So many rows of the pass were looked at by now; fewer than before in a new pass."""
        if self._marks and rows < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((self._clock(), rows))

    @property
    def rate(self) -> float:
        """Rows a second over these chunks."""
        if len(self._marks) < 2:
            return 0.0
        (begun, first), (ended, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(ended - begun, 1e-6)

    def left(self, rows: int) -> tuple[float, float] | None:
        """Within which seconds so many rows are likely to be done: at the speed of the quicker chunks, and of the
        slower ones. None where nobody can say."""
        marks = list(self._marks)
        rates = sorted(
            (later[1] - earlier[1]) / max(later[0] - earlier[0], 1e-6) for earlier, later in itertools.pairwise(marks)
        )
        if len(rates) < 4 or not rates[len(rates) // 4]:
            return None
        return rows / rates[len(rates) * 3 // 4], rows / rates[len(rates) // 4]


def span(seconds: tuple[float, float] | None) -> str:
    """A range of time: ``12–15 s``, ``3–4 min``."""
    if seconds is None:
        return "?"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds[1] >= 2 * size:
            return _between(seconds[0] / size, seconds[1] / size, unit)
    return _between(seconds[0], seconds[1], "s")


def _between(low: float, high: float, unit: str) -> str:
    first, last = max(1, round(low)), max(1, round(high))
    return f"{last} {unit}" if first >= last else f"{first}–{last} {unit}"
