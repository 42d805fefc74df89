"""For how long the fleet has been clean, as seen by a console that never stops looking."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from midflight.console.sources import FLEET
from midflight.upgrade.aim import Aim
from midflight.upgrade.verdict import Verdict
from midflight.upgrade.watch import Soak, is_clean, looked
from midflight.web import Gatherer

WINDOW = 1800.0
"""Seconds for which a soak is watched, as its step in the plan says."""
LONGEST_SILENCE = 30.0
"""Seconds without a picture after which nobody can say that all was clean."""


@dataclass(frozen=True)
class SoakClock:
    """What the clock shows. ``since`` is None while it stands; ``verdict`` is that of the last look."""

    since: datetime | None = None
    verdict: Verdict | None = None
    window: float = WINDOW

    @property
    def ends(self) -> datetime | None:
        """When the window will have passed, if nothing happens until then."""
        return None if self.since is None else self.since + timedelta(seconds=self.window)


class SoakWatch:
    """Judges each picture; one in which somebody was rejected, or none at all, starts the window anew."""

    def __init__(self, aim: Aim, clock: Callable[[], float] = time.monotonic) -> None:
        self._soak, self._time = Soak(aim, WINDOW), clock
        self.shows = SoakClock()

    async def run(self, gatherer: Gatherer) -> None:
        """Watch until cancelled, or nothing comes any more."""
        number, seen = 0, None
        while not gatherer.closed:
            picture = await gatherer.after(number, LONGEST_SILENCE)
            fleet = picture.of(FLEET)
            silent = picture.seen(FLEET) == seen
            number, seen = picture.number, picture.seen(FLEET)
            if fleet is None or silent:
                self.missed()
            else:
                self.judge(self._soak.judge(fleet, self._time()))

    def judge(self, verdict: Verdict) -> None:
        """Take the verdict of one look into account."""
        clean_for = max(0.0, self._time() - (self._soak.earliest - WINDOW))
        runs = is_clean(looked(verdict))
        since = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=round(clean_for))
        if runs and self.shows.since is not None and abs(since - self.shows.since) <= timedelta(seconds=2):
            since = self.shows.since  # the same start, told by another clock
        self.shows = SoakClock(since if runs else None, verdict)

    def missed(self) -> None:
        """Nobody knows how it was meanwhile."""
        self._soak.missed(self._time())
        self.shows = SoakClock()
