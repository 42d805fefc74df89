from midflight.upgrade import roster
from tests.upgrade.fleets import fleet, lost, member


def test_an_age_is_said_in_the_unit_that_a_person_needs() -> None:
    """Seconds up to two minutes, and so on."""
    assert [roster.ago(seconds) for seconds in (0.4, 119, 180, 7200, 200_000)] == [
        "0 s",
        "119 s",
        "3 min",
        "2 h",
        "2 d",
    ]


def test_only_active_members_are_waited_for() -> None:
    """The lost and the draining are another matter."""
    behind = member("api", "a", epoch=3)
    members = behind, member("api", "b"), lost("api", "c", epoch=3), member("api", "d", state="draining", epoch=3)
    assert roster.behind(fleet(*members), 4) == [behind]


def test_a_lost_opener_may_still_write() -> None:
    """So finalize waits for it; for a draining one and for an agent it does not."""
    gone = lost("api", "c", epoch=3)
    members = gone, member("api", "d", state="draining", epoch=3), member("compute", "n1", epoch=3)
    assert roster.openers_behind(fleet(*members), 4) == [gone]


def test_members_are_counted_by_name() -> None:
    """And nobody is none."""
    assert roster.counted(["juno", "kilo", "juno"]) == "2 juno, 1 kilo"
    assert roster.counted([]) == "none"
    assert roster.names([member("b", "2"), member("a", "1")]) == "a@1, b@2"
    assert roster.names([]) == "nobody"
