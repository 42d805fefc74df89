"""The code beside the frozen releases."""

from conftest import Fleet


def test_the_releases_before_survive_this_code(alone: Fleet) -> None:
    """What has changed since the last release is properly bumped; else it says what is due."""
    checked = alone.midflight("release", "check")
    assert checked.code == 0, checked.out
