"""Until when: what somebody types for a time to come."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from datetime import tzinfo as TimeZone

from midflight import InvalidValue

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EXPECTED = "a time to come like 45m, 2h, 3d, 18:30, 2026-12-24 or 2026-12-24 18:00"


def read(text: str, now: datetime, zone: TimeZone | None = None) -> datetime:
    """The time that is meant, in UTC. Without a date it is the next time that the clock shows it, without a time it is
    when the day begins; both in ``zone``, or where this machine is. Raises InvalidValue."""
    found = _from_now(text.strip().lower(), now) or _on_the_clock(text.strip(), now, zone)
    if found is None or found <= now:
        raise InvalidValue(path="until", received=repr(text), expected=EXPECTED)
    return found


def _from_now(text: str, now: datetime) -> datetime | None:
    match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,3})?) ?([mhdw])", text)
    return now + timedelta(**{_UNITS[match[2]]: float(match[1])}) if match else None


def _on_the_clock(text: str, now: datetime, zone: TimeZone | None) -> datetime | None:
    try:
        if re.fullmatch(r"\d{1,2}:\d\d", text):
            hour, minute = map(int, text.split(":"))
            today = now.astimezone(zone).date()
            days = (_at(today + timedelta(days=n), time(hour, minute), zone) for n in (0, 1))
            return next((at for at in days if at > now), None)
        if re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d)?", text):
            meant = datetime.fromisoformat(text)
            return _at(meant.date(), meant.time(), zone)
    except ValueError:
        pass  # 25:00, or the 31st of June: no time at all
    return None


def _at(day: date, clock: time, zone: TimeZone | None) -> datetime:
    """A time without a zone is that of this machine, with its summer."""
    return datetime.combine(day, clock, zone).astimezone(UTC)
