"""The page Traffic: what conductors answer, what becomes older on the way, what was rejected, and what is parked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from midflight.conductor.interface import Fleet, JournalEntry
from midflight.conductor.traffic import Traffic
from midflight.console.sources import FLEET, PARKED, TRAFFIC
from midflight.console.view import FleetView
from midflight.web import Page

LATELY = 5
"""Minutes that the figures are of."""
SHORT = 10
"""Minutes that the curves are of, unless all that conductors remember is asked for."""
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
    counted = view.picture.of(TRAFFIC) or ()
    parked = view.picture.of(PARKED) or ()
    shown = counted if view.query.get("span") == "hour" else _last(counted, SHORT)
    lately, before = fleet.traffic or (None, None)
    return {
        "points": len(shown),
        "lately": _figures(_last(counted, LATELY), lately),
        "before": _figures([before], before) if before is not None and before.seconds else None,
        "series": json.dumps(series(shown)),
        "pairs": _pairs(counted),
        "senders": _senders(fleet),
        "rejected": rejected(fleet.rejections),
        "parked": parked[:ROWS],
        "all_parked": len(parked),
        "held_back": sum(bool(each.ahead) for each in parked),
    }


def _last(counted: Sequence[Traffic], minutes: int) -> Sequence[Traffic]:
    """Those within so many minutes of the last one."""
    return [each for each in counted if each.until > counted[-1].until - timedelta(minutes=minutes)]


@dataclass(frozen=True)
class Figures:
    """Some time in figures."""

    per_second: float
    failed: float
    """The part of all calls."""
    p50: float | None
    p99: float | None
    older: float
    """Objects a second that became older."""


def _figures(counted: Sequence[Traffic], whole: Traffic | None) -> Figures | None:
    """Rates are of what was counted piece by piece, up to now; times of whole minutes, of which conductors tell them
    exactly."""
    if not counted:
        return None
    seconds, calls = _seconds(counted), sum(each.calls for each in counted)
    return Figures(
        per_second=calls / seconds,
        failed=sum(each.failed for each in counted) / calls if calls else 0.0,
        p50=whole.p50 if whole else None,
        p99=whole.p99 if whole else None,
        older=sum(each.backports for each in counted) / seconds,
    )


def _seconds(counted: Iterable[Traffic]) -> float:
    return sum(each.seconds for each in counted)


def series(counted: Iterable[Traffic]) -> dict[str, list[float | None]]:
    """The curves, one point for each piece or minute; None where a time begins in which nobody counted. Times in
    seconds of Unix time, durations in milliseconds, the others a second."""
    found: dict[str, list[float | None]] = {name: [] for name in ("at", "calls", "failed", "older", "p50", "p99")}
    last: datetime | None = None
    for each in counted:
        if last is not None and each.since > last:
            _point(found, last.timestamp(), (None,) * 5)
        last = each.until
        rates = tuple(round(number / each.seconds, 2) for number in (each.calls, each.failed, each.backports))
        _point(found, each.since.timestamp(), (*rates, _ms(each.p50), _ms(each.p99)))
    return found


def _point(found: dict[str, list[float | None]], at: float, values: Iterable[float | None]) -> None:
    for curve, value in zip(found.values(), (at, *values), strict=True):
        curve.append(value)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 2)


def _pairs(counted: Sequence[Traffic]) -> list[Pair]:
    """The most frequent first."""
    last = _last(counted, LATELY)
    every, lately = _counted(counted), _counted(last)
    most = max(every.values(), default=1)
    found = []
    for pair, number in sorted(every.items(), key=lambda item: (-item[1], item[0])):
        name, here, there = (*pair.split(" ", 2), "", "")[:3]
        rate = lately[pair] / _seconds(last)
        found.append(Pair(name, here, there, rate, number, round(100 * number / most, 1)))
    return found


def _counted(those: Iterable[Traffic]) -> Counter[str]:
    found = Counter[str]()
    for each in those:
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
