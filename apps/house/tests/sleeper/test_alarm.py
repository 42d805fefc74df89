from datetime import timedelta

import pytest

from house.sleeper import alarm
from tests.jumping import NOON
from tests.sleeper.machine import FakeMachine


@pytest.mark.parametrize(("minutes", "seconds"), [(60, 58 * 60), (2.6, 36), (2.1, 30), (1, 30), (-5, 30)])
def test_the_alarm_rings_a_little_early_but_not_before_it_sleeps(
    machine: FakeMachine, minutes: float, seconds: int
) -> None:
    """One that has rung already would wake nobody."""
    place = machine.write(alarm.PLACE, "")
    alarm.arm(machine.root, NOON + timedelta(minutes=minutes), NOON)
    assert place.read_text() == f"+{seconds}"
