from midflight.upgrade import kinds
from midflight.upgrade.verdict import Fact, Status, Verdict, bad, good, missing, tells, warning


def test_the_worst_fact_decides_and_comes_first() -> None:
    """Fail over unknown over warn over pass; equals keep their order."""
    facts = [good("a"), warning("b"), missing("c"), bad("d"), bad("e")]
    for count, status in ((5, Status.FAIL), (3, Status.UNKNOWN), (2, Status.WARN), (1, Status.PASS)):
        assert Verdict.of("step", facts[:count]).status is status
    assert [fact.words for fact in Verdict.of("step", facts).because] == ["d", "e", "c", "b", "a"]


def test_no_fact_is_unknown() -> None:
    """Unknown is never pass."""
    assert Verdict.of("step", []).status is Status.UNKNOWN


def test_the_exit_code_follows_the_status() -> None:
    """0 pass, 1 warnings, 2 blocked, 4 unknown."""
    assert [status.exit_code for status in (Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN)] == [0, 1, 2, 4]


def test_each_way_out_is_said_once() -> None:
    """In the order of the facts that it mends."""
    assert Verdict.of("step", [warning("a", "x"), bad("b", "y"), bad("c", "y")]).way_out == ("y", "x")


def test_a_verdict_is_plain_values_for_machines() -> None:
    """Every fact with its name, its own status and way out, where it was read, and how old it is and may be."""
    lost = Fact(Status.FAIL, "a", "x", "api@web", kinds.LOST, age=3.0)
    assert Verdict.of("pin", [lost, good("b")]).to_wire() == {
        "step": "pin",
        "status": "fail",
        "because": [
            {"name": "lost:api@web", "status": "fail", "fact": "a", "way_out": "x", "source": "members", "age": 3.0,
             "max_age": 60.0, "acknowledged": None},
            {"name": "other", "status": "pass", "fact": "b", "way_out": None, "source": "code", "age": None,
             "max_age": None, "acknowledged": None},
        ],
        "way_out": ["x"],
    }  # fmt: skip


def test_a_fact_is_of_the_kind_of_the_function_that_found_it() -> None:
    """But for one that has a kind already."""

    @tells(kinds.PATH)
    def found() -> list[Fact]:
        return [good("a", "kilo"), Fact(Status.FAIL, "b", about="api@web", kind=kinds.LOST)]

    assert [fact.name for fact in found()] == ["path:kilo", "lost:api@web"]
