"""What a check is."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from house.sleeper.system import System


class Check(Protocol):
    """One question. Its settings are its fields; what it remembers from one look to the next has an underscore."""

    @abstractmethod
    async def look(self, system: System) -> str | None:
        """Why the machine is busy, in words for people; None when it is idle. Raises Unclear, or anything else, where
        it cannot be found out: that counts as busy."""

    async def next_need(self, system: System) -> datetime | None:
        """When it will be busy next, where that is known and the machine is to be woken for it."""
        return None


class Counter:
    """A number that only grows, read at each look."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def per_second(self, value: float, seconds: float) -> float | None:
        """How fast it has grown since the last look; None at the first, and where it began anew."""
        last, self._last = self._last, (value, seconds)
        if last is None or value < last[0] or seconds <= last[1]:
            return None
        return (value - last[0]) / (seconds - last[1])


FIRST = "it has only been measured once"
"""What a check says that compares two looks, at its first."""
