"""Bars, and the numbers that pages are made of."""

from __future__ import annotations

from datetime import date, time

import pytest

from house.objects.history import Day
from house.objects.rule import Rule
from house.web.bars import bars, rounded
from house.web.pages.history import together
from house.web.pages.rules import Span, week


def test_a_bar_grows_from_its_foot() -> None:
    """Part on part, in places of one width; what is higher than the scale ends with it."""
    first, second = bars([{"demand": 1, "test": 0, "asked": 2}, {"demand": 9}], top=4)
    assert [(part.kind, part.y, part.height) for part in first.parts] == [("demand", 75.0, 25.0), ("asked", 25.0, 50.0)]
    assert [(part.y, part.height) for part in second.parts] == [(0.0, 100.0)]
    assert second.x - first.x == pytest.approx(50)
    assert bars([], 1) == []


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (3, 3), (5, 5), (7.2, 8), (8.1, 10), (11, 15), (16, 20), (0.3, 1)]
)
def test_a_scale_ends_at_a_round_number(most: float, top: float) -> None:
    """That is no lower than what it has to hold."""
    assert rounded(most) == top


def test_days_of_several_machines_are_summed() -> None:
    """By their dates; a machine that is new has fewer of them."""
    first, second = date(2026, 11, 25), date(2026, 11, 26)
    old = [Day(day=first, asleep_seconds=10, wakes={"demand": 1}), Day(day=second, asleep_seconds=20, saved_kwh=0.5)]
    new = [Day(day=second, asleep_seconds=5, saved_kwh=0.25, wakes={"demand": 2, "test": 1})]
    found = together([old, new])
    assert [(day.day, day.asleep_seconds, day.saved_kwh, day.wakes) for day in found] == [
        (first, 10.0, 0.0, {"demand": 1}),
        (second, 25.0, 0.75, {"demand": 2, "test": 1}),
    ]


def test_hours_that_pass_midnight_go_on_on_the_next_day() -> None:
    """From Sunday to Monday, too."""
    shown = dict(week(Rule(days=[6], begins=time(18), ends=time(6))).days)
    assert (shown["Sun"], shown["Mon"], shown["Tue"]) == ([Span(75.0, 25.0)], [Span(0.0, 25.0)], [])
