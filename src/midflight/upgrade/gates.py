"""Gates: pure functions from the frozen facts of a fleet to a verdict, one for each step of an upgrade.

A gate lists only facts that were really gathered, and decides on membership, not on liveness: a lost member counts
until it is back or an operator retires it, for it may live on behind a broken network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from midflight.conductor.interface import Fleet
from midflight.db.write_form import Form
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import contract, health, members, pins, rehearsal, traffic, watching
from midflight.upgrade.facts import data as data_facts
from midflight.upgrade.facts import schema as schema_facts
from midflight.upgrade.verdict import Fact, Verdict, bad
from midflight.upgrade.weighing import weighed

Gate = Callable[[Fleet, Aim], Verdict]

RECENT = 60.0
"""Seconds for which a rejected version counts against a step that is not a soak."""


def _verdict(step: str, fleet: Fleet, *facts: Iterable[Fact], takes_risks: bool = True) -> Verdict:
    """Each fact counts as much as its age allows, and people's word."""
    found = [fact for each in (*facts, health.told(fleet), health.clocks(fleet)) for fact in each]
    return Verdict.of(step, [weighed(fact, fleet, takes_risks=takes_risks) for fact in found])


def prepare(fleet: Fleet, aim: Aim) -> Verdict:
    """May this upgrade begin: is the path legal, the last release done, everyone there, and the database well?

    And does the target break nobody, was that tried out where it must be, and what will it cost?
    """
    there = [*members.path(fleet, aim), *contract.compatible(aim), *members.lost(fleet), *pins.overridden(fleet)]
    tried = rehearsal.rehearsed(aim)
    cost = [*traffic.counted(fleet, traffic.forecast(fleet, aim)), *health.database(fleet)]
    return _verdict("prepare", fleet, there, data_facts.earlier_data(fleet, aim), tried, cost)


def schema(fleet: Fleet, aim: Aim) -> Verdict:
    """Has the target's schema been expanded, by revisions that were linted? Is it really there, and does the release
    before still fit it? While it is not, is the database well?"""
    there = [*schema_facts.expanded(fleet, aim), *schema_facts.fits(fleet, aim)]
    return _verdict("schema", fleet, there, schema_facts.linted(aim), health.database(fleet))


def pin(fleet: Fleet, aim: Aim) -> Verdict:
    """Does everyone speak so that the old release understands?"""
    set_now = [*pins.pins(fleet, aim), *pins.overridden(fleet)]
    return _verdict("pin", fleet, set_now, members.acknowledged(fleet, fleet.members))


def control(fleet: Fleet, aim: Aim) -> Verdict:
    """Are all services but the agents on the target and well, and is the schema new enough for them?"""
    services = [member for member in fleet.members if member.service not in aim.agents]
    arrived = members.arrived(services, aim, "control service", bad)
    there = [*schema_facts.expanded(fleet, aim), *schema_facts.fits(fleet, aim)]
    return _verdict("control", fleet, arrived, there, health.tested(fleet, aim))


def soak(fleet: Fleet, aim: Aim, *, window: float = RECENT, clean_for: float | None = None) -> Verdict:
    """Has the mixed fleet been clean for long enough?

    It takes ``window`` seconds in which every look was clean. ``clean_for`` are those so far, this look included;
    without it, the journal says them.
    """
    seen = [*members.watched(fleet, aim), *watching.rejections(fleet, window), *members.lost(fleet)]
    soaked = watching.clean(fleet, aim.target, clean_for, window)
    return _verdict("soak", fleet, seen, traffic.counted(fleet, traffic.against_before(fleet)), soaked)


def roll(fleet: Fleet, aim: Aim) -> Verdict:
    """May the next agent be upgraded; or are they all done?"""
    agents = [member for member in fleet.members if member.service in aim.agents]
    left = any(not aim.reached(member.release) for member in roster.awake(agents))
    pinned = pins.pins(fleet, aim) if left else ()
    batch = members.last_batch(agents, fleet, aim)
    return _verdict("roll", fleet, members.rolled(agents, aim), batch, pinned, watching.rejections(fleet, RECENT))


def unpin(fleet: Fleet, aim: Aim) -> Verdict:
    """Does everyone understand the target's versions, and has nobody older been heard lately?"""
    arrived = members.arrived(fleet.members, aim, "member", bad)
    heard = [*traffic.counted(fleet, traffic.old_senders(fleet, aim)), *watching.rejections(fleet, RECENT)]
    return _verdict("unpin", fleet, arrived, pins.kept_pins(fleet, aim), heard)


def data(fleet: Fleet, aim: Aim) -> Verdict:
    """Are all writers new, does nothing hold the rows, and how far have they come?"""
    arrived = members.arrived(roster.openers(fleet.members), aim, "database writer", bad)
    moved = data_facts.moved(fleet, aim)
    return _verdict("data", fleet, arrived, moved, health.probes(fleet), health.database(fleet))


def finalize(fleet: Fleet, aim: Aim) -> Verdict:
    """May the one-way door be gone through? What cannot be undone behind it, ``irreversible`` lists.

    Here nobody's acknowledgement counts.
    """
    arrived = members.arrived(fleet.members, aim, "member", bad)
    obeyed = members.acknowledged(fleet, roster.openers(fleet.members))
    return _verdict("finalize", fleet, arrived, obeyed, data_facts.provable(fleet, aim), takes_risks=False)


def irreversible(fleet: Fleet, aim: Aim) -> list[str]:
    """What cannot be undone once this fleet is finalized, each in words."""
    moving = [state for state in data_facts.migrations(fleet, aim) if state.form != Form.NEW.value]
    forms = [f"{state.name}: {state.table} is written in its new form only; the old one goes stale" for state in moving]
    if fleet.store_floor is None or not aim.reached(fleet.store_floor):
        forms.append(f"the store floor rises to {aim.target}: no release before it can open the database again")
    sleepers = [member for member in roster.aside(fleet.members) if not aim.reached(member.release)]
    left = [f"{roster.named(each)} ({each.release}, {each.state}) can only upgrade when it wakes" for each in sleepers]
    return [*left, *forms] if forms else []
