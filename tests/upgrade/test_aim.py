from dataclasses import replace

from midflight.upgrade.aim import Aim, main_of

RELEASES = ("juno", "kilo", "liberty", "kilo.1")


def test_a_fix_stands_right_behind_its_release() -> None:
    """However late it was frozen: kilo.1 has not reached liberty."""
    aim = Aim("liberty", RELEASES)
    assert [release for release in RELEASES if aim.reached(release)] == ["liberty"]
    assert Aim("kilo", RELEASES).reached("kilo.1")
    assert aim.previous == "kilo.1"


def test_a_path_goes_through_every_release_but_not_through_fixes() -> None:
    """The target is its last."""
    assert Aim("liberty", RELEASES).path_from("juno") == ("kilo", "liberty")
    assert Aim("liberty", RELEASES).path_from("kilo.1") == ("liberty",)
    assert Aim("kilo.1", RELEASES).path_from("kilo") == ("kilo.1",)
    assert Aim("kilo.1", RELEASES).path_from("juno") == ("kilo.1",)


def test_a_road_starts_where_no_other_release_comes_between() -> None:
    """A fix may be left out, or be where it starts."""
    assert Aim("liberty", RELEASES).starts == ("kilo", "kilo.1")
    assert Aim("kilo.1", RELEASES).starts == ("juno", "kilo")
    assert Aim("juno", RELEASES).starts == ()


def test_an_unknown_release_has_reached_nothing_and_precedes_nothing() -> None:
    """It has no place in the history."""
    aim = Aim("kilo", RELEASES)
    assert not aim.knows("mitaka")
    assert not aim.reached("mitaka")
    assert not aim.precedes("mitaka")


def test_the_first_release_has_none_before() -> None:
    """There is nothing to pin to."""
    assert Aim("juno", RELEASES).previous is None


def test_a_pin_is_a_release_or_a_bare_number() -> None:
    """A number means a release by its interface."""
    aim = replace(Aim("kilo", RELEASES), numbers={("compute", "3.35"): "juno"})
    assert [aim.pinned_to("compute", pin) for pin in ("kilo", "3.35", "3.36")] == ["kilo", "juno", None]


def test_a_release_with_a_dot_is_a_fix_only_of_a_release_that_exists() -> None:
    """2024.1 may be a name like any other."""
    assert main_of("kilo.1", RELEASES) == "kilo"
    assert main_of("2024.1", (*RELEASES, "2024.1")) == "2024.1"
