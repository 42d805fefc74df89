"""What a page of the console is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midflight.console.passages import Passage
from midflight.console.soaking import SoakClock
from midflight.console.sources import FLEET
from midflight.console.speeds import Speeds
from midflight.upgrade.aim import Aim
from midflight.web import View


@dataclass(frozen=True)
class FleetView(View):
    """A picture of the fleet, and what the console has seen for itself."""

    aim: Aim
    soak: SoakClock
    speeds: Speeds
    passages: Sequence[Passage]

    def shared(self) -> Mapping[str, Any]:
        """The fleet; None before one was seen."""
        return {"fleet": self.picture.of(FLEET)}
