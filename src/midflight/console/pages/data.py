"""The page Data: how far rows have come, how fast, and what they wait for; and how the schema stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from midflight.conductor.data_objects import MigrationDetail, MigrationState
from midflight.conductor.interface import Fleet, JournalEntry
from midflight.console.sources import DETAILS, FLEET, JOURNAL
from midflight.console.view import FleetView
from midflight.db.schema.needs import APPLIED
from midflight.db.write_form import Form
from midflight.upgrade.facts import schema
from midflight.upgrade.speed import span
from midflight.web import Page

REASONS = 12
"""So many reasons and errors of one migration are drawn; the rest is one line."""
HISTORY = 8
"""So many of the last changes of the schema."""
_STEERED = {
    "": ("start",),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
    "stopped": ("resume", "cancel"),
}


@dataclass(frozen=True)
class Counted:
    """One line of a histogram; ``width`` is its part of 100 of the longest one's."""

    words: str
    rows: int
    width: float


@dataclass(frozen=True)
class Card:
    """One data migration."""

    state: MigrationState
    detail: MigrationDetail | None
    word: str
    """Its state in one word."""
    done: float
    """The part of 100 of the pass under way."""
    rate: float | None
    left: str
    reasons: Sequence[Counted]
    errors: Sequence[Counted]
    forms: Sequence[tuple[str, str]]
    """Each write form, and whether it is behind (``done``), ``here`` or ``ahead``."""
    acts: Sequence[str]


def _model(view: FleetView) -> Mapping[str, Any]:
    fleet = view.picture.of(FLEET)
    assert fleet is not None  # a page is made of a fleet that was seen
    details = view.picture.of(DETAILS) or {}
    known = next(iter(details.values()), None)
    return {
        "cards": [_card(each, details.get(each.name), view) for each in fleet.migrations],
        "holder": known.holder if known else "",
        "pace": {name: value for name, value in known.pace.items() if value != []} if known else {},
        "readings": _readings(fleet),
        "schema": [*schema.expanded(fleet, view.aim), *schema.linted(view.aim)],
        "history": _history(view),
    }


def _card(state: MigrationState, detail: MigrationDetail | None, view: FleetView) -> Card:
    final = state.form == Form.NEW.value
    speed = view.speeds.of(state.name)
    moving = speed is not None and state.of > 0 and not state.proven
    return Card(
        state=state,
        detail=detail,
        word=_word(state),
        done=100.0 if state.proven or final else round(100 * state.looked / max(state.of, state.looked, 1), 1),
        rate=speed.rate if speed is not None and moving else None,
        left=span(speed.left(max(0, state.of - state.looked))) if speed is not None and moving else "",
        reasons=histogram(state.deferred_by),
        errors=histogram(detail.errors if detail else {}),
        forms=_forms(state.form),
        acts=() if final else _STEERED.get(state.wanted, ("cancel",)),
    )


def _word(state: MigrationState) -> str:
    if state.form == Form.NEW.value:
        return "finalized"
    if state.proven:
        return "proven"
    return state.wanted if state.wanted in ("paused", "stopped") else state.state


def histogram(counted: Mapping[str, int]) -> list[Counted]:
    """The most frequent first; what is beyond the last line is counted together in it."""
    by_number = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    lines, most = by_number[:REASONS], max(counted.values(), default=1)
    if rest := by_number[REASONS:]:
        lines.append((f"{len(rest)} others", sum(rows for _, rows in rest)))
    return [Counted(words, rows, min(100.0, round(100 * rows / most, 1))) for words, rows in lines]


def _forms(present: str) -> list[tuple[str, str]]:
    names = [form.value for form in Form]
    at = names.index(present) if present in names else -1
    return [(name, "here" if n == at else "done" if n < at else "ahead") for n, name in enumerate(names)]


@dataclass(frozen=True)
class Reading:
    """What the database says of itself. ``width`` is its part of 100 of what it may be; None where it cannot be
    read."""

    what: str
    value: float
    most: float
    width: float | None

    @property
    def over(self) -> bool:
        """Whether it is higher than it may be."""
        return self.width is None or self.value > self.most


def _readings(fleet: Fleet) -> list[Reading]:
    return [_reading(what, numbers) for what, numbers in (fleet.health or {}).items()]


def _reading(what: str, numbers: Sequence[float]) -> Reading:
    if len(numbers) < 2:
        return Reading(what, 0.0, 0.0, None)
    value, most = abs(numbers[0]), numbers[1]
    return Reading(what, value, most, min(100.0, round(100 * value / most, 1)) if most else 100.0 * (value > 0))


def _history(view: FleetView) -> list[tuple[datetime, str, JournalEntry]]:
    """What was done to the schema lately, the latest first. An expand names its revisions itself."""
    journal = view.picture.of(JOURNAL)
    told = [entry for entry in (journal.entries if journal else ()) if entry.kind.startswith("schema.")]
    entries = [entry for entry in told if entry.kind != APPLIED]
    return [(entry.at, entry.kind.partition(".")[2].replace("_", " "), entry) for entry in entries[: -HISTORY - 1 : -1]]


DATA_PAGE = Page("data", "Data", "d", _model, (FLEET, DETAILS, JOURNAL))
