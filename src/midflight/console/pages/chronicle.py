"""The page Chronicle: what changed from release to release, and what was done to the fleet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from midflight.conductor.interface import JournalEntry
from midflight.console.passages import Passage
from midflight.console.sources import FLEET, JOURNAL, KEPT, Journal
from midflight.console.view import FleetView
from midflight.web import Page

ROWS = 50
"""Entries on one page."""
COLUMNS = 120
"""So many bars the time of the journal is divided into."""
NAMED = 40
"""So many who did something can be chosen from."""
_ABOUT = "by", "sender", "member"
"""The facts that say who did it, or whom it is about; the first that there is counts."""


@dataclass(frozen=True)
class Column:
    """A part of the journal's time, as a bar; all are parts of 100."""

    start: float
    height: float
    chosen: float
    """Of those entries that are asked for."""


@dataclass(frozen=True)
class Line:
    """An entry as it is read, or several in a row that say the same; then ``entry`` is the last one."""

    entry: JournalEntry
    times: int
    who: str
    facts: Sequence[tuple[str, str]]
    day: str
    """Its day, where the line before is of another one."""

    @property
    def family(self) -> str:
        """``pin`` of ``pin.set``."""
        return self.entry.kind.partition(".")[0]


def _model(view: FleetView) -> Mapping[str, Any]:
    journal = view.picture.of(JOURNAL) or Journal()
    query = view.query
    alike = [entry for entry in journal.entries if _asked_for(entry, query)]
    at = _time(query.get("at", ""))
    until = [entry for entry in alike if at is None or entry.at.timestamp() <= at]
    lines = _together(until[::-1])
    sheets = max(1, -(-len(lines) // ROWS))
    number = min(max(_number(query.get("page", "1")), 1), sheets)
    return {
        "passages": view.passages,
        "passage": _passage(view),
        "lines": _lines(lines[(number - 1) * ROWS : number * ROWS]),
        "found": len(until),
        "all_lines": len(lines),
        "first": (number - 1) * ROWS + 1,
        "number": number,
        "sheets": sheets,
        "kinds": sorted({part for entry in journal.entries for part in (entry.kind, entry.kind.partition(".")[0])}),
        "whos": [who for who, _ in Counter(map(who_of, journal.entries)).most_common(NAMED) if who],
        "filtered": any(query.get(name) for name in ("kind", "who")),
        "at": at,
        "since": _edge(journal, 0, view),
        "now_at": _edge(journal, -1, view),
        "moment": None if at is None else datetime.fromtimestamp(at, UTC),
        "columns": columns(journal.entries, alike),
        "whole": journal.is_whole or len(journal.entries) >= KEPT,
        "kept": len(journal.entries),
        "complete": journal.is_whole,
    }


def _passage(view: FleetView) -> Passage | None:
    """The one that is asked for, else the one of the upgrade, else the last."""
    by_release = {passage.after: passage for passage in view.passages}
    wanted = view.query.get("to", ""), view.aim.target
    return next((by_release[name] for name in wanted if name in by_release), view.passages[-1] if by_release else None)


def _asked_for(entry: JournalEntry, query: Mapping[str, str]) -> bool:
    kind, who = query.get("kind", ""), query.get("who", "")
    fits = not kind or entry.kind == kind or entry.kind.startswith(f"{kind}.")
    return fits and (not who or who_of(entry) == who)


def who_of(entry: JournalEntry) -> str:
    """Who did it, or whom it is about; empty where nobody is named."""
    return next((str(entry.facts[name]) for name in _ABOUT if entry.facts.get(name)), "")


def _together(entries: Sequence[JournalEntry]) -> list[list[JournalEntry]]:
    """Those that follow each other and say the same, as one."""
    return [list(alike) for _, alike in groupby(entries, lambda entry: (entry.kind, entry.facts))]


def _lines(together: Sequence[Sequence[JournalEntry]]) -> list[Line]:
    lines: list[Line] = []
    day = ""
    for entries in together:
        entry = entries[0]
        new = f"{entry.at.astimezone(UTC):%A, %-d %B %Y}"
        lines.append(Line(entry, len(entries), who_of(entry), _facts(entry), "" if new == day else new))
        day = new
    return lines


def _facts(entry: JournalEntry) -> list[tuple[str, str]]:
    told = next((name for name in _ABOUT if entry.facts.get(name)), "")
    return [(name, _words(value)) for name, value in entry.facts.items() if name != told and value not in ("", [], {})]


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _edge(journal: Journal, at: int, view: FleetView) -> datetime:
    seen = view.picture.seen(JOURNAL) or datetime.now(UTC)
    return journal.entries[at].at if journal.entries else seen


def columns(every: Sequence[JournalEntry], chosen: Sequence[JournalEntry]) -> list[Column]:
    """How many entries there are in each part of the time from the first to the last, and how many of the chosen ones;
    parts without any are left out. Heights are on the scale of a square root, so that a single entry is seen beside a
    storm."""
    if not every:
        return []
    first, last = every[0].at.timestamp(), every[-1].at.timestamp()
    whole = max(last - first, 1e-6)

    def counted(entries: Sequence[JournalEntry]) -> Counter[int]:
        return Counter(min(COLUMNS - 1, int(COLUMNS * (each.at.timestamp() - first) / whole)) for each in entries)

    all_of, some = counted(every), counted(chosen)
    most = max(all_of.values())
    return [
        Column(round(100 * n / COLUMNS, 3), _height(all_of[n], most), _height(some[n], most)) for n in sorted(all_of)
    ]


def _height(number: int, most: int) -> float:
    return round(100 * math.sqrt(number / most), 1)


def _time(text: str) -> float | None:
    """Seconds of Unix time; None for the present, and for what is no time."""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


CHRONICLE_PAGE = Page("chronicle", "Chronicle", "c", _model, (FLEET, JOURNAL))
