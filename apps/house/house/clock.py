"""What time it is. Whoever needs it is given a clock, so that a test can let one jump."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The times that a sleeping machine has."""

    def now(self) -> datetime:
        """The time of day, in UTC. It jumps when somebody sets it."""
        ...

    def boottime(self) -> float:
        """Seconds that nobody can set, and that go on while the machine is suspended."""
        ...

    def suspended(self) -> float:
        """Seconds for which the machine has been suspended since it booted."""
        ...


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        return now()

    def boottime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def suspended(self) -> float:
        return self.boottime() - time.monotonic()


def now() -> datetime:
    """This moment. Times are kept in UTC."""
    return datetime.now(UTC)
