from midflight.upgrade.verdict import Status, Verdict, bad, good, missing, warning


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
    """Every fact with its own status."""
    assert Verdict.of("pin", [bad("a", "x"), good("b")]).to_wire() == {
        "step": "pin",
        "status": "fail",
        "because": [{"status": "fail", "fact": "a"}, {"status": "pass", "fact": "b"}],
        "way_out": ["x"],
    }
