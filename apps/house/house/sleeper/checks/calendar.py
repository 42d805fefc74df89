"""Does a calendar say that it is needed now?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast
from urllib.error import URLError
from urllib.request import urlopen

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]  # it has no types

from house.sleeper.checks.base import Check
from house.sleeper.system import System, Unclear

READ_SECONDS = 10.0
LARGEST = 10_000_000
AHEAD = timedelta(days=8)


@dataclass
class Calendar(Check):
    """Busy during the events of ``ics``, a file or an http(s) address, whose summary has ``summary`` in it; it is read
    again every ``read_minutes``. With ``wakes``, the machine is woken when the next one begins."""

    ics: str
    summary: str = ""
    wakes: bool = False
    read_minutes: float = 15.0

    def __post_init__(self) -> None:
        self._read: tuple[float, icalendar.Calendar] | None = None

    async def look(self, system: System) -> str | None:
        now = system.clock.now()
        for begins, ends, summary in self._events(await self._calendar(system), now, now + timedelta(seconds=1)):
            if begins <= now < ends:
                return f"{summary} until {ends:%H:%M} UTC, says the calendar"
        return None

    async def next_need(self, system: System) -> datetime | None:
        if not self.wakes:
            return None
        now = system.clock.now()
        events = self._events(await self._calendar(system), now, now + AHEAD)
        return min((begins for begins, *_ in events if begins > now), default=None)

    def _events(
        self, calendar: icalendar.Calendar, after: datetime, before: datetime
    ) -> Iterator[tuple[datetime, datetime, str]]:
        found = recurring_ical_events.of(calendar).between(after, before)
        for event in cast(list[icalendar.Event], found):
            summary = str(event.get("SUMMARY", ""))
            if self.summary.lower() in summary.lower():
                yield _moment(event.start), _moment(event.end), summary

    async def _calendar(self, system: System) -> icalendar.Calendar:
        seconds = system.clock.boottime()
        if self._read is None or seconds - self._read[0] >= self.read_minutes * 60:
            self._read = seconds, await asyncio.to_thread(_parsed, self.ics)
        return self._read[1]


def _parsed(place: str) -> icalendar.Calendar:
    """Raises Unclear for what cannot be read, or is no calendar."""
    try:
        return icalendar.Calendar.from_ical(_text(place))
    except (OSError, URLError) as wrong:
        raise Unclear(f"{place}: {wrong}") from None
    except ValueError as wrong:
        raise Unclear(f"{place} is no calendar: {str(wrong)[:200]}") from None


def _text(place: str) -> bytes:
    if not place.startswith(("http://", "https://")):
        return Path(place).read_bytes()
    with urlopen(place, timeout=READ_SECONDS) as answer:
        found: bytes = answer.read(LARGEST)
        return found


def _moment(time: date | datetime) -> datetime:
    """A whole day begins at midnight here, and so does a time without a zone count as the machine's own."""
    if not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day)  # noqa: DTZ001  # it is the machine's own, as the next line says
    return time.astimezone(UTC)
