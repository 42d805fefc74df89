"""What the house is asked: how it stands always, the rest while somebody looks at a page that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from house.objects.history import History
from house.objects.look import Look
from house.objects.patch_bay import PatchBay
from house.objects.wake import Wake
from house.operator import AWAKE, House
from house.sound_operator import Live
from house.web.visitor import Visitor
from midflight.web import Picture, Source

DAYS = 90
"""Of history; a page shows as many of them as it is asked for."""
LATEST = 200
"""Wakes."""


async def _house(visitor: Visitor, _: Picture) -> House:
    return await visitor.do(lambda operator: operator.house())


HOUSE = Source("the house", _house)
"""Machines, holds, rules, requesters, and whether somebody is at home."""


async def _wakes(visitor: Visitor, _: Picture) -> Sequence[Wake]:
    return await visitor.do(lambda operator: operator.wakes(limit=LATEST))


WAKES = Source("the wakes", _wakes)
"""The latest first."""


async def _looks(visitor: Visitor, picture: Picture) -> Mapping[str, Look]:
    house = picture.of(HOUSE)
    names = [each.name for each in house.machines if each.state in AWAKE] if house else []
    return await visitor.do(lambda operator: operator.looks(names))


LOOKS = Source("the agents", _looks, seconds=5.0)
"""What each agent finds on its machine, by the machine's name."""


async def _histories(visitor: Visitor, picture: Picture) -> Mapping[str, History]:
    house = picture.of(HOUSE)
    names = [each.name for each in house.machines] if house else []
    return await visitor.do(lambda operator: operator.histories(names, DAYS))


HISTORIES = Source("the history", _histories, seconds=30.0)
"""Day by day, by the machine's name."""


async def _bay(visitor: Visitor, _: Picture) -> PatchBay:
    return await visitor.do(lambda operator: operator.sound.bay())


BAY = Source("the patch bay", _bay)
"""Streams, rooms, what is patched to what, and what agents have reported of it."""


async def _live(visitor: Visitor, picture: Picture) -> Live:
    bay = picture.of(BAY)
    return Live() if bay is None else await visitor.do(lambda operator: operator.sound.live(bay))


LIVE = Source("the agents of sound", _live)
"""What they say at this moment: levels above all."""
