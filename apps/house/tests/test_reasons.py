"""What somebody should see to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from house.objects.look import Look
from house.objects.machine import Machine
from house.objects.wake import Wake
from house.reasons import warnings
from house.states import Mode, State
from tests.jumping import NOON

LONG_AGO = NOON - timedelta(minutes=13)
LOOK = Look(machine="desk", at=NOON)
FAILED = Wake(machine="desk", asked_at=NOON - timedelta(minutes=1), tries=5)
BUSY = {"state": State.AWAKE, "because": ("a film runs",)}


@pytest.mark.parametrize(
    ("stands", "look", "last", "told"),
    [
        ({**BUSY, "seen_at": LONG_AGO}, None, None, "Its agent has said nothing"),
        ({**BUSY, "seen_at": LONG_AGO}, LOOK, None, None),
        ({**BUSY, "seen_at": LONG_AGO, "because": ()}, None, None, None),
        ({**BUSY, "seen_at": NOON - timedelta(minutes=6)}, None, None, None),
        ({"state": State.ASLEEP}, None, FAILED, "It has not woken when it was asked for last, after 5 tries"),
        ({"state": State.WAKING}, None, FAILED, None),
        ({"state": State.ASLEEP, "flag_armed": False}, None, None, "Its network card is not armed"),
        ({"mode": Mode.UNKNOWN}, None, None, "It is guarded in a way that this release does not know"),
    ],
)
def test_what_somebody_should_see_to_is_told(
    stands: dict[str, object], look: Look | None, last: Wake | None, told: str | None
) -> None:
    """An agent that is silent, unless it has just answered, or there is none; a machine that did not wake, or would
    not; and one that nobody here knows how to guard."""
    machine = Machine(name="desk", mac="52:54:00:00:00:01", **stands)  # type: ignore[arg-type]
    said = list(warnings(machine, look, last, NOON))
    assert [each.startswith(told or "nothing") for each in said] == ([True] if told else [])
