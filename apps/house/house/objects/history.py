"""History: how long a machine slept, what woke it, and what that saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Self

from house import clock, kept
from midflight import Context, VersionedObject, field, remotable

Nap = tuple[datetime, datetime]
"""From when until when."""
JOULES_PER_KWH = 3_600_000
MOST_DAYS = 3660


class Day(VersionedObject, version="1.0"):
    """One day of a machine, in UTC. ``saved_kwh`` is what it would have used if it had been awake, less what it used
    asleep."""

    day: date
    asleep_seconds: float = 0.0
    saved_kwh: float = 0.0
    wakes: dict[str, int] = field(default_factory=dict)


class History(VersionedObject, version="1.0"):
    """What a machine did in the last days, oldest first; wakes are by their cause."""

    machine: str
    days: list[Day]

    @classmethod
    @remotable
    async def of_machine(cls, context: Context, machine: str, days: int = 30) -> Self:
        """The last so many days of a machine, today among them: one at least, and ten years at most. Raises
        NotFound."""
        found = await context.db.read(kept.histories.gather, machine, min(max(days, 1), MOST_DAYS), clock.now())
        return cls(context=context, machine=machine, days=found)

    @property
    def asleep_seconds(self) -> float:
        """In all of its days."""
        return sum(day.asleep_seconds for day in self.days)

    @property
    def saved_kwh(self) -> float:
        """In all of its days."""
        return sum(day.saved_kwh for day in self.days)


def summed(
    naps: Sequence[Nap], wakes: Iterable[tuple[datetime, str]], watts: float, now: datetime, days: int
) -> Iterator[Day]:
    """The days that end with today, from the naps and the (asked_at, cause) of the wakes. A nap that crosses midnight
    is in both days; one that ends before it began, since a clock was set, is in none."""
    counted: dict[date, dict[str, int]] = {}
    for asked_at, cause in wakes:
        of_day = counted.setdefault(asked_at.date(), {})
        of_day[cause] = of_day.get(cause, 0) + 1
    first = now.date() - timedelta(days=days - 1)
    asleep: dict[date, float] = {}
    for nap in naps:
        for day in _days(max(nap[0].date(), first), min(nap[1], now).date()):
            asleep[day] = asleep.get(day, 0.0) + _within(nap, day)
    for day in _days(first, now.date()):
        seconds = asleep.get(day, 0.0)
        saved = seconds * watts / JOULES_PER_KWH
        yield Day(day=day, asleep_seconds=seconds, saved_kwh=saved, wakes=counted.get(day, {}))


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _within(nap: Nap, day: date) -> float:
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    fell_at, woke_at = max(nap[0], begins), min(nap[1], begins + timedelta(days=1))
    return max(0.0, (woke_at - fell_at).total_seconds())
