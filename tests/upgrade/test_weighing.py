from dataclasses import replace

import pytest

from midflight.upgrade import kinds
from midflight.upgrade.verdict import Fact, Status
from midflight.upgrade.weighing import weighed
from tests.upgrade.fleets import acknowledged, fleet

GOOD = Fact(Status.PASS, "nobody is lost", kind=kinds.LOST)
LOST = Fact(Status.FAIL, "n1 is lost", "retire it", "compute@n1", kinds.LOST)


def test_a_fact_that_is_older_than_it_may_be_is_unknown() -> None:
    """To the second; the words say how old it is, and how old it may be."""
    assert weighed(GOOD, fleet(age=60.0)).status is Status.PASS
    old = weighed(GOOD, fleet(age=300.0))
    assert (old.status, old.age) == (Status.UNKNOWN, 300.0)
    assert old.words == "nobody is lost: this was read 5 min ago, and may be 60 s old at most"


def test_its_own_age_and_the_time_for_which_it_was_held_add_up() -> None:
    """A fact may have been old when the picture was taken."""
    fact = replace(LOST, age=40.0)
    assert weighed(fact, fleet(age=10.0)) == replace(LOST, age=50.0)
    assert weighed(fact, fleet(age=30.0)).status is Status.UNKNOWN


def test_what_is_read_while_the_gate_is_asked_does_not_grow_old() -> None:
    """The operator's own copy of the project is there."""
    lint = Fact(Status.PASS, "linted", kind=kinds.LINT)
    assert weighed(lint, fleet(age=1e6)) == lint


def test_a_risk_that_somebody_takes_is_a_warning() -> None:
    """It is listed with who takes it, until when and why."""
    known = fleet(acknowledged=[acknowledged("lost:compute@n1", "a dead disk")])
    fact = weighed(LOST, known)
    assert fact.status is Status.WARN
    assert fact.words == "n1 is lost (acknowledged by operator@desk (kilo) until 2030-01-02T12:00: a dead disk)"
    assert fact.to_wire()["acknowledged"] == {
        "by": "operator@desk (kilo)", "reason": "a dead disk", "expires": "2030-01-02T12:00:00+00:00",
    }  # fmt: skip


@pytest.mark.parametrize("other", ["lost:compute@n2", "lost", "compute@n1"])
def test_a_risk_is_that_of_one_fact(other: str) -> None:
    """Of no other one of its kind, nor of the kind."""
    assert weighed(LOST, fleet(acknowledged=[acknowledged(other)])).status is Status.FAIL


def test_some_facts_are_nobodys_risk() -> None:
    """That rows agree is not a matter of opinion; and at the one-way door nothing is."""
    proof = Fact(Status.FAIL, "not proven", about="flavors", kind=kinds.PROVEN)
    assert weighed(proof, fleet(acknowledged=[acknowledged("proven:flavors")])).status is Status.FAIL
    taken = fleet(acknowledged=[acknowledged("lost:compute@n1")])
    assert weighed(LOST, taken, takes_risks=False).status is Status.FAIL


def test_who_took_a_risk_that_is_gone_is_not_told() -> None:
    """What passes needs no one's word."""
    good = replace(GOOD, about="compute@n1")
    assert weighed(good, fleet(acknowledged=[acknowledged("lost:compute@n1")])) == replace(good, age=0.0)
