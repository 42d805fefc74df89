"""When a watcher does not wake though somebody asks: scans, too many wakes, machines that fall asleep at once again."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from house.lan.mac import Mac

SCAN_SECONDS, SCAN_LIMIT = 60.0, 8
"""Who asks for more than so many different things in this time looks for what there is, and wants none of it."""
HOUR = 3600.0
FLAP_SECONDS, FLAPS, FLAP_PAUSE = 60.0, 3, 600.0
"""A machine that slept again within so many seconds of a wake, so many times in a row, is left alone for a while."""
_MOST = 1024
"""Requesters that are remembered at most; of more, those are forgotten that asked the longest ago."""


class Census:
    """Who has asked for how many different things lately."""

    def __init__(self) -> None:
        self._asked: dict[Mac, dict[Hashable, float]] = {}

    def note(self, who: Mac, what: Hashable, now: float) -> None:
        """Somebody asks for something."""
        asked = self._asked.pop(who, {})
        asked.pop(what, None)
        asked[what] = now
        self._asked[who] = asked  # the latest stands last
        while len(asked) > SCAN_LIMIT + 1:
            del asked[next(iter(asked))]
        if len(self._asked) > _MOST:
            del self._asked[next(iter(self._asked))]

    def scans(self, who: Mac, now: float) -> bool:
        """Whether that are too many."""
        asked = self._asked.get(who, {})
        return sum(now - when <= SCAN_SECONDS for when in asked.values()) > SCAN_LIMIT


class Pace:
    """How often one machine was woken, and how soon it slept again."""

    def __init__(self, per_hour: int) -> None:
        self.per_hour = per_hour
        self._wakes: deque[float] = deque(maxlen=per_hour)
        self._flaps, self._awake, self._paused_until = 0, -HOUR, -HOUR

    def limit(self, per_hour: int) -> None:
        """It may be woken so often from now on."""
        self.per_hour, self._wakes = per_hour, deque(self._wakes, maxlen=per_hour)

    def wakes(self, now: float) -> None:
        """It is being woken."""
        self._wakes.append(now)

    def awake(self, now: float) -> None:
        """It woke because somebody asked."""
        self._awake = now

    def slept(self, now: float) -> bool:
        """It sleeps again; True if that is now once too often."""
        self._flaps = self._flaps + 1 if now - self._awake < FLAP_SECONDS else 0
        if self._flaps < FLAPS:
            return False
        self._flaps, self._paused_until = 0, now + FLAP_PAUSE
        return True

    def refusal(self, now: float) -> str | None:
        """Why it may not be woken now, None if it may."""
        if now < self._paused_until:
            rest = self._paused_until - now
            return f"it fell asleep at once {FLAPS} times in a row; it may be woken again in {rest:.0f} s, or by name"
        if len(self._wakes) == self.per_hour and now - self._wakes[0] < HOUR:
            return f"it was woken {self.per_hour} times within an hour, which is its limit (wakes_per_hour)"
        return None
