"""The page History: hours asleep, what woke the machines, and what that saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from house.objects.history import Day
from house.reasons import SLOW
from house.states import Cause
from house.web.bars import Bar, bars, rounded
from house.web.sources import DAYS, HISTORIES, HOUSE, WAKES
from house.web.view import HouseView
from midflight.web import Page

SPANS = (7, 30, DAYS)
"""Days that can be chosen from."""
USUAL = 30
ROWS = 40
"""Wakes that are listed; ``house history`` has more."""
CAUSES = [cause.value for cause in Cause]


@dataclass(frozen=True)
class Plot:
    """Bars under a heading; ``top`` is the scale's end, and ``rows`` are the same in numbers."""

    name: str
    title: str
    unit: str
    top: str
    bars: Sequence[Bar]
    says: str
    """The plot in a sentence."""
    kinds: Sequence[str]
    rows: Sequence[tuple[date, Sequence[str]]]


def _model(view: HouseView) -> Mapping[str, Any]:
    histories = view.picture.of(HISTORIES) or {}
    machines = view.house.machines
    name = view.query.get("machine", "")
    chosen = [each for each in machines if each.name == name] or machines
    span = next((each for each in SPANS if str(each) == view.query.get("days")), USUAL)
    days = together([histories[each.name].days[-span:] for each in chosen if each.name in histories])
    wakes = [each for each in view.picture.of(WAKES) or () if each.machine in {machine.name for machine in chosen}]
    hours = sum(day.asleep_seconds for day in days) / 3600
    return {
        "machines": [machine.name for machine in machines],
        "name": chosen[0].name if len(chosen) == 1 and name else "",
        "chosen": chosen,
        "span": span,
        "spans": SPANS,
        "days": days,
        "hours": hours,
        "part": hours / (24 * max(1, len(days)) * max(1, len(chosen))),
        "saved": sum(day.saved_kwh for day in days),
        "watts": sum(machine.watts - machine.watts_asleep for machine in chosen),
        "woken": sum(sum(day.wakes.values()) for day in days),
        "plots": [_asleep(days, len(chosen)), _woken(days), _saved(days)] if days else [],
        "wakes": [(wake, view.house.heeds(wake.requester_mac, wake.machine)) for wake in wakes[:ROWS]],
        "rows": ROWS,
        "slow": SLOW,
    }


def together(histories: Sequence[Sequence[Day]]) -> list[Day]:
    """Several machines' days as one's."""
    found: dict[date, Day] = {}
    for day in (day for days in histories for day in days):
        summed = found.setdefault(day.day, Day(day=day.day))
        summed.asleep_seconds += day.asleep_seconds
        summed.saved_kwh += day.saved_kwh
        summed.wakes = dict(Counter(summed.wakes) + Counter(day.wakes))
    return [found[day] for day in sorted(found)]


def _asleep(days: Sequence[Day], machines: int) -> Plot:
    hours = [day.asleep_seconds / 3600 for day in days]
    top = 24.0 * max(1, machines)
    return Plot(
        "asleep", "Hours asleep", "h", f"{top:.0f}", bars([{"asleep": each} for each in hours], top),
        f"{sum(hours) / len(hours):.1f} hours on a day, between {min(hours):.1f} and {max(hours):.1f}.",
        ["asleep"], [(day.day, [f"{each:.1f}"]) for day, each in zip(days, hours, strict=True)],
    )  # fmt: skip


def _woken(days: Sequence[Day]) -> Plot:
    kinds = [cause for cause in CAUSES if any(day.wakes.get(cause) for day in days)]
    top = rounded(max(sum(day.wakes.values()) for day in days))
    counted = {cause: sum(day.wakes.get(cause, 0) for day in days) for cause in kinds}
    said = ", ".join(f"{number} {cause}" for cause, number in counted.items()) or "nothing woke it"
    return Plot(
        "woken", "Wakes by cause", "", f"{top:g}",
        bars([{cause: day.wakes.get(cause, 0) for cause in kinds} for day in days], top),
        f"In all: {said}.", kinds, [(day.day, [str(day.wakes.get(cause, 0)) for cause in kinds]) for day in days],
    )  # fmt: skip


def _saved(days: Sequence[Day]) -> Plot:
    """Grown day by day."""
    grown, soon = 0.0, []
    for day in days:
        grown += day.saved_kwh
        soon.append(grown)
    top = rounded(grown, 0.1)
    return Plot(
        "saved", "Energy saved", "kWh", f"{top:g}", bars([{"saved": each} for each in soon], top),
        f"{grown:.1f} kWh in {len(days)} days, {days[-1].saved_kwh:.2f} of them on the last one.",
        ["saved"], [(day.day, [f"{each:.2f}"]) for day, each in zip(days, soon, strict=True)],
    )  # fmt: skip


HISTORY_PAGE = Page("history", "History", "h", _model, (HOUSE, HISTORIES, WAKES))
