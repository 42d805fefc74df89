from midflight.upgrade import kinds
from midflight.upgrade.verdict import Fact, Status
from midflight.upgrade.weighing import weighed

GOOD = Fact(Status.PASS, "nobody is lost", kind=kinds.LOST)


def test_a_fact_that_is_older_than_it_may_be_is_unknown() -> None:
    """To the second; the words say how old it is, and how old it may be."""
    assert weighed(GOOD, 60.0).status is Status.PASS
    old = weighed(GOOD, 300.0)
    assert (old.status, old.age) == (Status.UNKNOWN, 300.0)
    assert old.words == "nobody is lost: this was read 5 min ago, and may be 60 s old at most"


def test_its_own_age_and_the_time_for_which_it_was_held_add_up() -> None:
    """A fact may have been old when the picture was taken."""
    fact = Fact(Status.FAIL, "slow", kind=kinds.LOST, age=40.0)
    assert weighed(fact, 10.0) == Fact(Status.FAIL, "slow", kind=kinds.LOST, age=50.0)
    assert weighed(fact, 30.0).status is Status.UNKNOWN


def test_what_is_read_while_the_gate_is_asked_does_not_grow_old() -> None:
    """The operator's own copy of the project is there."""
    assert weighed(Fact(Status.PASS, "linted", kind=kinds.LINT), 1e6) == Fact(Status.PASS, "linted", kind=kinds.LINT)
