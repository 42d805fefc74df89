"""Gates: pure functions from the frozen facts of a fleet to a verdict, one for each step of an upgrade.

A gate lists only facts that were really gathered, and decides on membership, not on liveness: a lost member counts
until it is back or an operator retires it, for it may live on behind a broken network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from midflight.conductor.interface import Fleet
from midflight.db.forms import Form
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import data as data_facts
from midflight.upgrade.facts import members, pins, watching
from midflight.upgrade.facts import schema as schema_facts
from midflight.upgrade.verdict import Fact, Verdict, bad
from midflight.upgrade.weighing import weighed

Gate = Callable[[Fleet, Aim], Verdict]

RECENT = 60.0
"""Seconds for which a rejected version counts against a step that is not a soak."""


def _verdict(step: str, fleet: Fleet, facts: Iterable[Fact]) -> Verdict:
    """Each fact counts as much as its age allows."""
    return Verdict.of(step, [weighed(fact, 0.0) for fact in facts])


def prepare(fleet: Fleet, aim: Aim) -> Verdict:
    """May this upgrade begin: is the path legal, the last release's work done, and everyone there?"""
    there = [*members.path(fleet, aim), *members.lost(fleet), *pins.overridden(fleet)]
    return _verdict("prepare", fleet, [*there, *data_facts.earlier_data(fleet, aim)])


def schema(fleet: Fleet, aim: Aim) -> Verdict:
    """Has the target's schema been expanded, by revisions that were linted?"""
    return _verdict("schema", fleet, [*schema_facts.expanded(fleet, aim), *schema_facts.linted(aim)])


def pin(fleet: Fleet, aim: Aim) -> Verdict:
    """Does everyone speak so that the old release understands?"""
    set_now = [*pins.pins(fleet, aim), *pins.overridden(fleet)]
    return _verdict("pin", fleet, [*set_now, *members.acknowledged(fleet, fleet.members)])


def control(fleet: Fleet, aim: Aim) -> Verdict:
    """Are all services but the agents on the target, and is the schema new enough for them?"""
    services = [member for member in fleet.members if member.service not in aim.agents]
    arrived = members.arrived(services, aim, "control service", bad)
    return _verdict("control", fleet, [*arrived, *schema_facts.expanded(fleet, aim)])


def soak(fleet: Fleet, aim: Aim, *, window: float = RECENT, clean_for: float = 0.0) -> Verdict:
    """Has the mixed fleet been clean for long enough?

    ``clean_for`` are the seconds for which every look so far was clean, this one included; it takes ``window`` of them.
    """
    seen = [*members.watched(fleet, aim), *watching.rejections(fleet, window), *members.lost(fleet)]
    return _verdict("soak", fleet, [*seen, *watching.clean(clean_for, window)])


def roll(fleet: Fleet, aim: Aim) -> Verdict:
    """May the next agent be upgraded; or are they all done?"""
    agents = [member for member in fleet.members if member.service in aim.agents]
    arrived = members.rolled(agents, aim)
    left = any(not aim.reached(member.release) for member in agents)
    pinned = pins.pins(fleet, aim) if left else ()
    return _verdict("roll", fleet, [*arrived, *pinned, *watching.rejections(fleet, RECENT)])


def unpin(fleet: Fleet, aim: Aim) -> Verdict:
    """Does everyone understand the target's versions?"""
    arrived = members.arrived(fleet.members, aim, "member", bad)
    return _verdict("unpin", fleet, [*arrived, *pins.kept_pins(fleet, aim), *watching.rejections(fleet, RECENT)])


def data(fleet: Fleet, aim: Aim) -> Verdict:
    """Are all writers new, and how far have the rows come?"""
    writers = roster.openers(fleet.members)
    return _verdict(
        "data", fleet, [*members.arrived(writers, aim, "database writer", bad), *data_facts.moved(fleet, aim)]
    )


def finalize(fleet: Fleet, aim: Aim) -> Verdict:
    """May the one-way door be gone through? What cannot be undone behind it, ``irreversible`` lists."""
    arrived = members.arrived(fleet.members, aim, "member", bad)
    openers = roster.openers(fleet.members)
    return _verdict(
        "finalize", fleet, [*arrived, *members.acknowledged(fleet, openers), *data_facts.provable(fleet, aim)]
    )


def irreversible(fleet: Fleet, aim: Aim) -> list[str]:
    """What cannot be undone once this fleet is finalized, each in words."""
    moving = [state for state in data_facts.migrations(fleet, aim) if state.form != Form.NEW.value]
    forms = [f"{state.name}: {state.table} is written in its new form only; the old one goes stale" for state in moving]
    if fleet.store_floor is None or not aim.reached(fleet.store_floor):
        forms.append(f"the store floor rises to {aim.target}: no release before it can open the database again")
    return forms
