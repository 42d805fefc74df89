"""Does it compute?"""

from __future__ import annotations

from dataclasses import dataclass

from house.sleeper.checks.base import FIRST, Check
from house.sleeper.system import System, Unclear

IDLE = 3, 4
"""Where idle and iowait stand in a line of /proc/stat: proc(5)."""
GUESTS = 8
"""From here on they are counted a second time."""


@dataclass
class Load(Check):
    """Busy while its processors did the work of ``cores`` or more since the last look."""

    cores: float = 0.5

    def __post_init__(self) -> None:
        self._last: tuple[int, int] | None = None

    async def look(self, system: System) -> str | None:
        worked, passed, processors = read(system)
        last, self._last = self._last, (worked, passed)
        if last is None or passed <= last[1]:
            return FIRST
        cores = (worked - last[0]) / (passed - last[1]) * processors
        return f"its processors do the work of {cores:.1f} cores" if cores >= self.cores else None


def read(system: System) -> tuple[int, int, int]:
    """(ticks of work, ticks of all processors, processors), since the machine booted."""
    lines = [line.split() for line in system.read("proc/stat").splitlines() if line.startswith("cpu")]
    try:
        ticks = [int(word) for word in lines[0][1 : 1 + GUESTS]]
        worked = sum(ticks) - sum(ticks[place] for place in IDLE)
    except (IndexError, ValueError):
        raise Unclear("/proc/stat has no line of its processors") from None
    return worked, sum(ticks), max(1, len(lines) - 1)
