"""A clock that jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""


class JumpingClock:
    """A clock that stands still until a test lets it jump, and what a suspended machine has beside it."""

    def __init__(self) -> None:
        self.time, self.seconds, self.suspended_seconds = NOON, 1000.0, 0.0

    def now(self) -> datetime:
        return self.time

    def boottime(self) -> float:
        return self.seconds

    def suspended(self) -> float:
        return self.suspended_seconds

    def pass_(self, **time: float) -> None:
        """Let time pass."""
        self.time += timedelta(**time)
        self.seconds += timedelta(**time).total_seconds()

    def set(self, **back: float) -> None:
        """Somebody sets the time of day back."""
        self.time -= timedelta(**back)
