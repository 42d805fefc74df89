"""The page Traffic: what conductors answer, what becomes older on the way, what was rejected, and what is parked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from midflight.conductor.interface import Fleet, JournalEntry
from midflight.conductor.traffic import MINUTE, Traffic
from midflight.console.sources import FLEET, PARKED, TRAFFIC
from midflight.console.view import FleetView
from midflight.web import Page

LATELY = 5
"""Minutes that the figures are of; the curves go back as far as conductors remember."""
ROWS = 50
"""Parked messages that are listed; the rest is on the command line."""
SENDERS = 20
_SAME = "sender", "sender_release", "receiver_release", "method", "requested"
"""Rejections that agree in these facts are told as one."""


@dataclass(frozen=True)
class Pair:
    """Objects that became older. ``there`` is a version, or the base class that who asked knows them by."""

    object: str
    here: str
    there: str
    lately: float
    """So many a second."""
    all: int
    width: float
    """The part of 100 of the most frequent one."""


@dataclass(frozen=True)
class Rejected:
    """Messages of one sender that a receiver could not serve, of one method and version; the facts of the last one."""

    number: int
    last: JournalEntry

    def fact(self, name: str) -> str:
        """One of its facts, in words."""
        return str(self.last.facts.get(name, "unknown"))


def _model(view: FleetView) -> Mapping[str, Any]:
    fleet = view.picture.of(FLEET)
    assert fleet is not None  # a page is made of a fleet that was seen
    minutes = view.picture.of(TRAFFIC) or ()
    parked = view.picture.of(PARKED) or ()
    last = _last(minutes, LATELY)
    return {
        "minutes": minutes,
        "lately": _sum(last),
        "before": _sum(minutes[: len(minutes) - len(last)]),
        "series": json.dumps(series(minutes)),
        "pairs": _pairs(minutes),
        "senders": _senders(fleet),
        "rejected": rejected(fleet.rejections),
        "parked": parked[:ROWS],
        "all_parked": len(parked),
        "held_back": sum(bool(each.ahead) for each in parked),
    }


def _last(minutes: Sequence[Traffic], number: int) -> Sequence[Traffic]:
    """Those within so many minutes of the last one."""
    return [each for each in minutes if each.until > minutes[-1].until - timedelta(minutes=number)]


@dataclass(frozen=True)
class Sum:
    """Some minutes together. The times are those of the slowest minute."""

    per_second: float
    failed: float
    """The part of all calls."""
    p50: float | None
    p99: float | None
    older: float
    """Objects a second that became older."""


def _sum(minutes: Sequence[Traffic]) -> Sum | None:
    if not minutes:
        return None
    seconds, calls = MINUTE * len(minutes), sum(each.calls for each in minutes)
    return Sum(
        per_second=calls / seconds,
        failed=sum(each.failed for each in minutes) / calls if calls else 0.0,
        p50=max((each.p50 for each in minutes if each.p50 is not None), default=None),
        p99=max((each.p99 for each in minutes if each.p99 is not None), default=None),
        older=sum(each.backports for each in minutes) / seconds,
    )


def series(minutes: Iterable[Traffic]) -> dict[str, list[float | None]]:
    """The curves, one point a minute; None in each minute that nobody counted. Times in seconds of Unix time, durations
    in milliseconds, the others a second."""
    found: dict[str, list[float | None]] = {name: [] for name in ("at", "calls", "failed", "older", "p50", "p99")}
    last: float | None = None
    for each in minutes:
        at = each.since.timestamp()
        while last is not None and (last := last + MINUTE) < at:
            _point(found, last, (None,) * 5)
        last = at
        rates = tuple(round(number / MINUTE, 2) for number in (each.calls, each.failed, each.backports))
        _point(found, at, (*rates, _ms(each.p50), _ms(each.p99)))
    return found


def _point(found: dict[str, list[float | None]], at: float, values: Iterable[float | None]) -> None:
    for curve, value in zip(found.values(), (at, *values), strict=True):
        curve.append(value)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 2)


def _pairs(minutes: Sequence[Traffic]) -> list[Pair]:
    """The most frequent first."""
    last = _last(minutes, LATELY)
    every, lately = _counted(minutes), _counted(last)
    most = max(every.values(), default=1)
    found = []
    for pair, number in sorted(every.items(), key=lambda item: (-item[1], item[0])):
        name, here, there = (*pair.split(" ", 2), "", "")[:3]
        rate = lately[pair] / (MINUTE * len(last))
        found.append(Pair(name, here, there, rate, number, round(100 * number / most, 1)))
    return found


def _counted(minutes: Iterable[Traffic]) -> Counter[str]:
    found = Counter[str]()
    for each in minutes:
        found.update(each.pairs)
    return found


def _senders(fleet: Fleet) -> list[tuple[str, int]]:
    """Who asked lately with another release than the conductor's, and how often."""
    counted = Counter(fleet.traffic[0].senders if fleet.traffic else {})
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:SENDERS]


def rejected(entries: Iterable[JournalEntry]) -> list[Rejected]:
    """The rejections of the last hour, those of one sender, receiver's release, method and version together; the latest
    first."""
    alike: dict[tuple[Any, ...], list[JournalEntry]] = {}
    for entry in entries:
        alike.setdefault(tuple(map(entry.facts.get, _SAME)), []).append(entry)
    found = [Rejected(len(each), max(each, key=lambda entry: entry.at)) for each in alike.values()]
    return sorted(found, key=lambda each: each.last.at, reverse=True)


TRAFFIC_PAGE = Page("traffic", "Traffic", "t", _model, (FLEET, TRAFFIC, PARKED))
