"""What somebody types for days and times."""

from __future__ import annotations

from datetime import time
from itertools import combinations
from pathlib import Path

import pytest

from house import hours
from house.hours import read_clock, read_days
from house.objects.rule import days_in_words
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


@pytest.mark.parametrize(
    ("days", "words"), [([0, 1, 2, 3, 4], "Mon-Fri"), ([5, 6], "Sat, Sun"), ([0, 2, 4, 5, 6], "Mon, Wed, Fri-Sun")]
)
def test_days_are_told_in_short(days: list[int], words: str) -> None:
    """From one to another, where that is shorter."""
    assert days_in_words(days) == words


def test_days_are_read_as_they_are_told() -> None:
    """Whichever they are."""
    for count in range(1, 8):
        for days in combinations(range(7), count):
            assert read_days(days_in_words(days)) == [*days]


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


@pytest.mark.parametrize(
    ("named", "leads_to", "zone"),
    [
        ("", "/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        (":America/Lima", "/usr/share/zoneinfo/Europe/Berlin", "America/Lima"),
        ("", "../usr/share/zoneinfo/Etc/UTC", "UTC"),
        ("", "/somewhere/else", "UTC"),
        ("", None, "UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", None, "UTC"),
    ],
)
def test_the_zone_of_this_machine(
    named: str, leads_to: str | None, zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name; UTC where it has none."""
    monkeypatch.setenv("TZ", named)
    monkeypatch.setattr(hours, "LOCALTIME", tmp_path / "localtime")
    if leads_to is not None:
        (tmp_path / "localtime").symlink_to(leads_to)
    monkeypatch.setattr(hours, "TIMEZONE", tmp_path / "timezone")
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")  # which may be older than the link
    assert hours.zone_here() == zone


@pytest.mark.parametrize(
    ("said", "zone"), [(b"Europe/Berlin\n", "Europe/Berlin"), (b"Etc/UTC\n", "UTC"), (b"\xff\n", "UTC"), (None, "UTC")]
)
def test_the_zone_where_localtime_is_a_copy(
    said: bytes | None, zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is in another file; UTC where it is not."""
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(hours, "LOCALTIME", tmp_path / "localtime")
    monkeypatch.setattr(hours, "TIMEZONE", tmp_path / "timezone")
    (tmp_path / "localtime").write_bytes(b"TZif2")
    if said is not None:
        (tmp_path / "timezone").write_bytes(said)
    assert hours.zone_here() == zone
