"""What a page of the house is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from house.objects.patch_bay import PatchBay
from house.operator import House
from house.reasons import woken_by
from house.web.sources import BAY, HOUSE
from midflight.web import Scene, View


@dataclass(frozen=True)
class HouseView(View):
    """A picture of the house."""

    @property
    def house(self) -> House:
        """How it stands; empty before it was seen."""
        return self.picture.of(HOUSE) or House([])

    def shared(self) -> Mapping[str, Any]:
        """The house; None before it was seen. And the words for a wake."""
        return {"house": self.picture.of(HOUSE), "woken_by": woken_by}


@dataclass(frozen=True)
class HouseScene(Scene):
    """What an act is about: the house as it is, and the fields of the form."""

    @property
    def house(self) -> House:
        """How it stands."""
        return self.picture.of(HOUSE) or House([])

    @property
    def bay(self) -> PatchBay:
        """The patch bay, for acts that ask for it beside."""
        bay = self.picture.of(BAY)
        assert bay is not None  # an act is not asked before what it needs was seen
        return bay
