"""Hours of the week: what somebody types for days and times, and in which zone that is meant."""

from __future__ import annotations

import os
import re
from datetime import time
from pathlib import Path

from house.objects.rule import DAYS, check_zone
from midflight import InvalidValue

LOCALTIME, TIMEZONE = Path("/etc/localtime"), Path("/etc/timezone")
_BY_NAME = {name.lower(): number for number, name in enumerate(DAYS)}


def read_days(text: str) -> list[int]:
    """``Mon-Fri``, ``Sat, Sun``, ``Fri-Mon``, ``Daily``; 0 is Monday. Raises InvalidValue."""
    if text.strip().lower() in ("daily", "every day"):
        return list(range(7))
    found: set[int] = set()
    for part in re.split(r"[,\s]+", text.strip()):
        first, dash, last = part.lower().partition("-")
        try:
            begin = _BY_NAME[first[:3]]
            end = _BY_NAME[last[:3]] if dash else begin
        except KeyError:
            expected = "days like Mon-Fri, or Mon, Wed, Sat, or daily"
            raise InvalidValue(path="days", received=repr(text), expected=expected) from None
        found |= {(begin + n) % 7 for n in range((end - begin) % 7 + 1)}
    return sorted(found)


def read_clock(name: str, text: str) -> time:
    """``8:00``; ``name`` is for the error. Raises InvalidValue."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if match is None:
        raise InvalidValue(path=name, received=repr(text), expected="a time like 08:00")
    return time(int(match[1]), int(match[2]))


def zone_here() -> str:
    """The time zone of this machine, like Europe/Berlin: that of TZ, or what /etc/localtime leads to, or, where that is
    a copy, what /etc/timezone says. UTC, where none of them is one with a name."""
    try:
        named = os.environ.get("TZ", "").removeprefix(":") or _installed()
        check_zone("TZ", named)
    except (OSError, InvalidValue):
        return "UTC"
    return "UTC" if named == "Etc/UTC" else named


def _installed() -> str:
    if LOCALTIME.is_file() and not LOCALTIME.is_symlink():
        return TIMEZONE.read_text(errors="replace").strip()
    return os.readlink(LOCALTIME).partition("/zoneinfo/")[2]
