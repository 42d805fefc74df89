"""What an act of the console is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midflight.conductor.interface import Fleet
from midflight.console.sources import FLEET, PARKED
from midflight.upgrade.aim import Aim
from midflight.upgrade.parked import Parked
from midflight.web import Act, Scene


@dataclass(frozen=True)
class FleetScene(Scene):
    """The fleet as it is, the aim, and the fields of the form."""

    aim: Aim

    @property
    def fleet(self) -> Fleet:
        """The fleet."""
        fleet = self.picture.of(FLEET)
        assert fleet is not None  # no act is asked about, or done, before it was seen
        return fleet

    @property
    def parked(self) -> Sequence[Parked]:
        """What is parked, for acts that are about that."""
        return self.picture.of(PARKED) or ()


FleetAct = Act[FleetScene]
