"""The real-time clock's alarm, which wakes a machine for what is planned."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from house.errors import HouseError
from house.leave import EARLY

PLACE = "sys/class/rtc/rtc0/wakealarm"
LEAST_SECONDS = 30
"""An alarm that has rung before the machine sleeps wakes nobody."""


class NoAlarm(HouseError):
    """The machine would oversleep; says why."""


def arm(root: Path, at: datetime, now: datetime) -> None:
    """Have it wake shortly before that time, but not before it can sleep. It is set as so many seconds from now, so
    that it does not matter what the real-time clock thinks the time is. Raises NoAlarm."""
    seconds = max(LEAST_SECONDS, round((at - EARLY - now).total_seconds()))
    _write(root, "0")  # one that is set already cannot be set
    _write(root, f"+{seconds}")
    if not (root / PLACE).read_text().strip():
        raise NoAlarm(f"/{PLACE}: it was set, and read back it is not")


def disarm(root: Path) -> None:
    """What is planned is over. Without an alarm, there is none to take back."""
    if (root / PLACE).exists():
        _write(root, "0")


def _write(root: Path, text: str) -> None:
    try:
        (root / PLACE).write_text(text)
    except OSError as wrong:
        raise NoAlarm(f"/{PLACE}: {wrong.strerror}") from None
