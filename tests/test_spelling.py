"""Whoever writes a name with a slip is told which one was meant."""

from __future__ import annotations

import pytest

from midflight.errors import MidflightError
from midflight.spelling import meant, nearest


@pytest.mark.parametrize(
    ("name", "near"),
    [("kilp", "kilo"), ("kilo.1", "kilo"), ("Juno", "juno"), ("liberty", None), ("", None), ("k" * 100_000, None)],
)
def test_the_nearest_name_is_found(name: str, near: str | None) -> None:
    """Where one is near; however long the other is."""
    assert nearest(name, ["juno", "kilo"]) == near
    assert meant(name, ["juno", "kilo"]) == (f'. Did you mean "{near}"?' if near else "")


def test_it_ends_the_sentence_of_an_error() -> None:
    """With one mark behind it, and the list of names before."""

    class Refused(MidflightError):
        """{reason}."""

        reason: str

    said = str(Refused(reason=f"received 'kilp', expected one of juno, kilo{meant('kilp', ['juno', 'kilo'])}"))
    assert said == "received 'kilp', expected one of juno, kilo. Did you mean \"kilo\"?"
