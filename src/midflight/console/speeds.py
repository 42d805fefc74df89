"""How fast data migrations go, as seen from picture to picture by a console that never stops looking."""

from __future__ import annotations

import time
from collections.abc import Callable

from midflight.conductor.interface import Fleet
from midflight.console.sources import FLEET
from midflight.upgrade.speed import Speed
from midflight.web import Gatherer

STANDS = 30.0
"""Seconds without a row after which a migration has no speed any more."""


class Speeds:
    """Watches how many rows each pass has looked at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._speeds: dict[str, Speed] = {}
        self._last: dict[str, tuple[int, float]] = {}

    async def run(self, gatherer: Gatherer) -> None:
        """Watch until cancelled."""
        number = 0
        while not gatherer.closed:
            picture = await gatherer.after(number, STANDS)
            if picture.number != number and (fleet := picture.of(FLEET)) is not None:
                self.look(fleet)
            number = picture.number

    def look(self, fleet: Fleet) -> None:
        """Take into account how far each has come."""
        for each in fleet.migrations:
            rows, _ = self._last.get(each.name, (-1, 0.0))
            if each.looked != rows:
                self._last[each.name] = each.looked, self._clock()
                self._speeds.setdefault(each.name, Speed(self._clock)).looked(each.looked)

    def of(self, name: str) -> Speed | None:
        """The speed of one; None while it stands."""
        _, at = self._last.get(name, (0, float("-inf")))
        return self._speeds.get(name) if self._clock() - at < STANDS else None
