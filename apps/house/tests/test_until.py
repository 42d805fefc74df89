"""What somebody types for a time to come."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from house import until
from midflight import InvalidValue

NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("45m", "2026-11-26T15:15"), ("2h", "2026-11-26T16:30"), ("1.5 H", "2026-11-26T16:00"),
        ("3d", "2026-11-29T14:30"),
        ("18:30", "2026-11-26T18:30"), ("9:00", "2026-11-27T09:00"), ("14:30", "2026-11-27T14:30"),
        ("2026-12-24", "2026-12-24T00:00"), ("2026-12-24 18:00", "2026-12-24T18:00"),
        ("2026-12-24T18:00", "2026-12-24T18:00"),
    ],
)  # fmt: skip
def test_a_time_to_come_is_read(text: str, wanted: str) -> None:
    """From now, on the clock, or on a day."""
    assert until.read(text, NOW, UTC) == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


def test_the_clock_is_that_of_the_zone() -> None:
    """Also where it is another day there, and in its summer."""
    assert until.read("0:15", NOW, ZoneInfo("Asia/Tokyo")) == datetime(2026, 11, 26, 15, 15, tzinfo=UTC)
    assert until.read("2027-07-01 12:00", NOW, ZoneInfo("Europe/Berlin")) == datetime(2027, 7, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "2x", "-2h", "25:00", "12:60", "2026-06-31", "2020-01-01", "0h", "1e9h", "99999999d"]
)
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    """With what was received and what was expected."""
    with pytest.raises(InvalidValue, match=r"^until: received '.*', expected a time to come like 45m, 2h"):
        until.read(text, NOW, UTC)
