"""The page Rules: what holds machines awake, when nobody is at home, and who wakes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from house.objects.rule import DAYS, Rule
from house.web.sources import HOUSE
from house.web.view import HouseView
from midflight.web import Page

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Span:
    """Hours of a day; ``x`` and ``width`` are parts of 100."""

    x: float
    width: float


@dataclass(frozen=True)
class Week:
    """A rule, and its hours on each day from Monday on."""

    rule: Rule
    days: Sequence[tuple[str, Sequence[Span]]]


def _model(view: HouseView) -> Mapping[str, Any]:
    house = view.house
    return {
        "holds": sorted(house.holds, key=lambda hold: hold.until),
        "weeks": [week(rule) for rule in house.rules],
        "ignored": [each for each in house.requesters if each.ignored],
        "named": [each for each in house.requesters if not each.ignored],
        "away": house.away,
    }


def week(rule: Rule) -> Week:
    """The hours of a rule. Those that pass midnight go on on the next day."""
    begins, ends = _part(rule.begins), _part(rule.ends)
    found: list[list[Span]] = [[] for _ in DAYS]
    for day in rule.days:
        if begins < ends:
            found[day].append(_span(begins, ends))
        else:
            found[day].append(_span(begins, 100.0))
            found[(day + 1) % 7].append(_span(0.0, ends))
    return Week(rule, [(name, spans) for name, spans in zip(DAYS, found, strict=True)])


def _part(clock: time) -> float:
    return 100 * (clock.hour * 3600 + clock.minute * 60 + clock.second) / DAY_SECONDS


def _span(begin: float, end: float) -> Span:
    return Span(round(begin, 3), round(end - begin, 3))


RULES_PAGE = Page("rules", "Rules", "r", _model, (HOUSE,))
