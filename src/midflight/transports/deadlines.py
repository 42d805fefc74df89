"""Many deadlines by one timer of the loop.

To make a timer and cancel it costs asyncio 4 µs, a tenth of all that a call takes; a deadline that is met costs a tenth
of that here, since it is a tuple in a heap, and is passed over when its time comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from heapq import heapify, heappop, heappush

FEW = 1_000
"""So many deadlines that were met may lie in the heap before it is looked through for them."""


class Deadlines:
    """What has a deadline goes by a name that is used once; it is met when the name is ``wanted`` no more. Of each that
    is not, ``missed`` is told, in the loop."""

    def __init__(self, wanted: Container[str], missed: Callable[[str], None]) -> None:
        self._wanted, self._missed = wanted, missed
        self._heap: list[tuple[float, str]] = []
        self._most = FEW
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, name: str, at: float) -> None:
        """``at`` is a time of the loop's clock."""
        heappush(self._heap, (at, name))
        if len(self._heap) > self._most:
            self._sweep()
        if self._timer is None or at < self._timer.when():
            self._arm()

    def _sweep(self) -> None:
        self._heap = [each for each in self._heap if each[1] in self._wanted]
        heapify(self._heap)
        self._most = max(FEW, 2 * len(self._heap))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._ring) if self._heap else None

    def _ring(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][1] not in self._wanted):
            _, name = heappop(self._heap)
            if name in self._wanted:
                self._missed(name)
        self._arm()
