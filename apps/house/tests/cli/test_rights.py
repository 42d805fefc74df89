"""What a fleet refuses, on the way through its conductor."""

from __future__ import annotations

import pytest

from house.cli.place import visiting
from house.objects.machine import Machine
from midflight.errors import NotAllowed
from tests.cli.conftest import Fleet


def test_a_guest_is_no_agent(fleet: Fleet) -> None:
    """It may say of no machine that it is awake: that is for the machine's agent."""
    with visiting(fleet.config) as guest:
        machine = guest.run(Machine.get(guest.context, "desk"))
        with pytest.raises(NotAllowed, match="that is for sleeper alone"):
            guest.run(machine.wake_up())
