"""Rules: hours of the week in which machines are awake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from house import kept
from house.rights import PEOPLE
from midflight import Context, InvalidValue, ObjectList, VersionedObject, field, from_row, remotable, to_row

WHAT = "rule"
DAYS = "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
Day = Annotated[int, Meta(ge=0, le=6)]


def days_in_words(days: Iterable[int]) -> str:
    """``Mon-Fri``, ``Mon, Wed, Sat``, ``daily``: as somebody would type them."""
    ours = sorted({*days})
    if len(ours) == len(DAYS):
        return "daily"
    runs = [[day for _, day in run] for _, run in groupby(enumerate(ours), lambda each: each[1] - each[0])]
    return ", ".join(
        f"{DAYS[run[0]]}-{DAYS[run[-1]]}" if len(run) > 2 else ", ".join(DAYS[day] for day in run) for run in runs
    )


class Rule(VersionedObject, version="1.0"):
    """On these days (0 is Monday), from ``begins`` to ``ends`` in the time of ``zone``, this machine does not sleep; no
    machine does, where it is None. One that ``ends`` before it begins ends on the next day. Where it ``wakes``, the
    machine is woken when it begins."""

    id: int | None = None
    machine: str | None = field(default=None, read_only=True)
    days: list[Day]
    begins: time
    ends: time
    zone: str = "UTC"
    wakes: bool = False
    note: str = ""

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Let it hold from now on. Raises InvalidValue for a zone that nobody knows, or a rule without days."""
        _check(self)
        self.id = await self.context.db.write(kept.rows.add, kept.tables.rules, WHAT, self.note, to_row(self))
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed. Raises NotFound, and InvalidValue."""
        _check(self)
        values = to_row(self, only_changes=True)
        await self.context.db.write(kept.rows.change, kept.tables.rules, WHAT, self.id, values)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Let it go. Raises NotFound."""
        await self.context.db.write(kept.rows.remove, kept.tables.rules, WHAT, self.id)

    @property
    def in_words(self) -> str:
        """For people."""
        return f"{days_in_words(self.days)} {self.begins:%H:%M} to {self.ends:%H:%M} {self.zone}"

    def holds_until(self, now: datetime) -> datetime | None:
        """When the present hours end; None outside of them."""
        return next((end for begin, end in self._hours(now) if begin <= now < end), None)

    def next_begin(self, after: datetime) -> datetime:
        """When they begin next."""
        return next(begin for begin, _ in self._hours(after) if begin > after)

    def _hours(self, around: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From yesterday, whose hours may last until today, to a week from today and a day."""
        zone = ZoneInfo(self.zone)
        today = around.astimezone(zone).date()
        for day in (today + timedelta(days=n) for n in range(-1, 9)):
            if day.weekday() in self.days:
                last = day + timedelta(days=self.ends <= self.begins)
                yield _at(day, self.begins, zone), _at(last, self.ends, zone)


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


class RuleList(ObjectList[Rule], version="1.0"):
    """Rules, in the order in which they were made."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """All of the house."""
        return cls._of(context, await context.db.read(kept.rows.every, kept.tables.rules, {}))

    @classmethod
    def _of(cls, context: Context, found: Iterable[kept.rows.Row]) -> Self:
        return from_row(cls, {}, objects=[from_row(Rule, row, context=context) for row in found], context=context)


def check_zone(path: str, zone: str) -> None:
    """Raises InvalidValue for a time zone that nobody knows; ``path`` is whose it is."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(path=path, received=zone, expected="a time zone like Europe/Berlin") from None


def _check(rule: Rule) -> None:
    check_zone("Rule.zone", rule.zone)
    if not rule.days:
        raise InvalidValue(path="Rule.days", received="[]", expected="at least one day, 0 for Monday")
