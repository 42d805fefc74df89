"""Does it read or write?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from house.sleeper.checks.base import FIRST, Check, Counter
from house.sleeper.system import System, Unclear

SECTOR = 512
"""Bytes, whatever the disk says of itself: Documentation/admin-guide/iostats.rst of the kernel."""
NO_DISK = re.compile(r"(loop|ram|zram|dm-|md|sr|fd)\d+")


@dataclass
class Disk(Check):
    """Busy while its disks, together, moved ``bytes_per_second`` or more since the last look."""

    bytes_per_second: float = 500_000.0

    def __post_init__(self) -> None:
        self._counter = Counter()

    async def look(self, system: System) -> str | None:
        rate = self._counter.per_second(read(system), system.clock.boottime())
        if rate is None:
            return FIRST
        return f"its disks move {rate:.0f} bytes/s" if rate >= self.bytes_per_second else None


def read(system: System) -> int:
    """Bytes that its disks have moved since it booted. Partitions, and what lies on top, are not counted twice."""
    rows = [line.split() for line in system.read("proc/diskstats").splitlines()]
    try:
        disks = [row for row in rows if not NO_DISK.fullmatch(row[2]) and (system.root / "sys/block" / row[2]).exists()]
        return sum(int(row[5]) + int(row[9]) for row in disks) * SECTOR
    except (IndexError, ValueError):
        raise Unclear("/proc/diskstats has a line that is none") from None
