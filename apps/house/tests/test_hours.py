"""What somebody types for days and times."""

from __future__ import annotations

from datetime import time

import pytest

from house.hours import read_clock, read_days
from midflight import InvalidValue


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Mon-Fri", [0, 1, 2, 3, 4]), ("sat, sun", [5, 6]), ("Fri-Mon", [0, 4, 5, 6]), ("Wednesday", [2]),
        ("daily", [0, 1, 2, 3, 4, 5, 6]), ("Mon Mon", [0]), ("Sun-Sun", [6]),
    ],
)  # fmt: skip
def test_days_are_read(text: str, wanted: list[int]) -> None:
    """By their names, from one to another, also over the week's end."""
    assert read_days(text) == wanted


@pytest.mark.parametrize("text", ["", "Blursday", "Mon-", "-Fri", "0-4"])
def test_what_is_no_day_is_refused(text: str) -> None:
    """With what was received."""
    with pytest.raises(InvalidValue, match=r"^days: received "):
        read_days(text)


def test_a_clock_is_read() -> None:
    """With or without its first zero; what no clock shows is refused."""
    assert [read_clock("begins", text) for text in ("8:00", "08:00", "23:59")] == [time(8), time(8), time(23, 59)]
    for text in ("24:00", "8", "8:5", "noon"):
        with pytest.raises(InvalidValue, match=r"^begins: received "):
            read_clock("begins", text)
