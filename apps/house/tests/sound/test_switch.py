"""The laboratory's users."""

from __future__ import annotations

from tests.sound.lab.switch import users


def test_users_are_one_laboratorys() -> None:
    """No two laboratories have a user in common, and those of one that has ended are free again."""
    with users() as first:
        with users() as second:
            assert not set(range(first, first + 8)) & set(range(second, second + 8))
        with users() as third:
            assert first != third
