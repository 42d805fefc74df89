"""The page Machines: a card for each, with how it stands and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from house.objects.history import History
from house.objects.hold import Hold
from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.wake import Wake
from house.reasons import warnings, why
from house.states import State
from house.web.bars import Bar, bars
from house.web.sources import HISTORIES, HOUSE, LOOKS, WAKES
from house.web.view import HouseView
from midflight.web import Page

LATELY = 14
"""Days that a card shows."""

DEEDS: Mapping[State, Sequence[tuple[str, str]]] = {
    State.AWAKE: [("sleep", "Sleep"), ("hold", "Hold…"), ("test-wake", "Test wake")],
    State.FALLING: [("hold", "Hold…")],
    State.ASLEEP: [("wake", "Wake"), ("hold", "Hold…"), ("test-wake", "Test wake")],
    State.WAKING: [("hold", "Hold…")],
    State.UNKNOWN: [("wake", "Wake"), ("hold", "Hold…"), ("test-wake", "Test wake")],
}
"""What can be done with a machine, and how its button is called; the first one is what somebody most likely wants."""

WHY = {
    State.AWAKE: "Awake because",
    State.FALLING: "Falls asleep because",
    State.ASLEEP: "Asleep because",
    State.WAKING: "Woken because",
    State.UNKNOWN: "Nobody knows, because",
}


@dataclass(frozen=True)
class Card:
    """What is told of one machine."""

    machine: Machine
    heading: str
    why: Sequence[str]
    sleeps_at: datetime | None
    holds: Sequence[Hold]
    last: Wake | None
    ignored: bool
    """Whether whoever woke it last is not listened to any more."""
    warnings: Sequence[str]
    spark: Sequence[Bar]
    asleep_hours: float
    """On a day, in the last ``LATELY`` days."""
    saved_kwh: float
    """In these days."""
    deeds: Sequence[tuple[str, str]]


def _model(view: HouseView) -> Mapping[str, Any]:
    house = view.house
    wakes = view.picture.of(WAKES) or ()
    looks, histories = view.picture.of(LOOKS) or {}, view.picture.of(HISTORIES) or {}
    now = view.picture.seen(HOUSE)
    assert now is not None  # a page is made of a house that was seen
    latest: dict[str, Wake] = {}
    for wake in wakes:
        latest.setdefault(wake.machine, wake)
    cards = [
        _card(view, machine, looks.get(machine.name), histories.get(machine.name), latest.get(machine.name), now)
        for machine in house.machines
    ]
    return {
        "cards": cards,
        "counted": {state: sum(each.state == state for each in house.machines) for state in State},
        "saved": sum(card.saved_kwh for card in cards),
        "days": LATELY,
        "away": house.away,
        "held": house.holds_of(None),
    }


def _card(
    view: HouseView, machine: Machine, look: Look | None, history: History | None, last: Wake | None, now: datetime
) -> Card:
    days = history.days[-LATELY:] if history else []
    holds = view.house.holds_of(machine.name)
    return Card(
        machine=machine,
        heading=WHY[machine.state],
        why=list(why(machine, look, last)),
        sleeps_at=look.sleeps_at if look and not look.because and machine.state is State.AWAKE else None,
        holds=holds,
        last=last,
        ignored=last is not None and not view.house.heeds(last.requester_mac, machine.name),
        warnings=list(warnings(machine, look, last, now)),
        spark=bars([{"asleep": day.asleep_seconds / 3600} for day in days], 24.0),
        asleep_hours=sum(day.asleep_seconds for day in days) / 3600 / max(1, len(days)),
        saved_kwh=sum(day.saved_kwh for day in days),
        deeds=DEEDS[machine.state],
    )


MACHINES_PAGE = Page("machines", "Machines", "m", _model, (HOUSE, WAKES, LOOKS, HISTORIES))
