"""What a fact weighs when a gate decides: one that is older than its kind allows is unknown."""

from __future__ import annotations

from dataclasses import replace

from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Fact, Status


def weighed(fact: Fact, held: float) -> Fact:
    """The fact as it counts for somebody who has had it for ``held`` seconds."""
    age = held if fact.age is None else fact.age + held
    limit = fact.max_age
    if limit is None:
        return replace(fact, age=None)
    if age <= limit:
        return replace(fact, age=age)
    words = f"{fact.words}: this was read {ago(age)} ago, and may be {ago(limit)} old at most"
    return replace(fact, status=Status.UNKNOWN, words=words, way_out="look again", age=age)
