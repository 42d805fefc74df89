"""What a fact weighs when a gate decides: too old, it is unknown; with somebody's word for its risk, a warning."""

from __future__ import annotations

from dataclasses import replace

from midflight.conductor.interface import Fleet
from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Acknowledgement, Fact, Status


def weighed(fact: Fact, fleet: Fleet, *, takes_risks: bool = True) -> Fact:
    """The fact as it counts in a picture of the fleet, for somebody who has held that for a while.

    ``takes_risks`` is false at the one-way door, where nobody's word counts against a fact.
    """
    aged = _aged(fact, fleet.age)
    return _acknowledged(aged, fleet) if takes_risks and fact.kind.risk else aged


def _aged(fact: Fact, held: float) -> Fact:
    age, limit = held if fact.age is None else fact.age + held, fact.max_age
    if limit is None:
        return replace(fact, age=None)
    if age <= limit:
        return replace(fact, age=age)
    words = f"{fact.words}: this was read {ago(age)} ago, and may be {ago(limit)} old at most"
    return replace(fact, status=Status.UNKNOWN, words=words, way_out="look again", age=age)


def _acknowledged(fact: Fact, fleet: Fleet) -> Fact:
    """The risk of what fails or is unknown is taken; it is listed all the same."""
    if fact.status not in (Status.FAIL, Status.UNKNOWN):
        return fact
    for entry in fleet.acknowledged:
        if entry.facts["fact"] == fact.name:
            taken = Acknowledgement(entry.facts.get("by", "somebody"), entry.facts["reason"], entry.facts["expires"])
            return replace(fact, status=Status.WARN, words=f"{fact.words} ({taken})", acknowledged=taken)
    return fact
