"""A keeper rests while there is nothing to do."""

from __future__ import annotations

import asyncio

import pytest

from house.playing import Engine
from house.sound import keeper as keepers
from house.sound.heard import Heard
from house.sound.keeper import Keeper
from house.sound.wanted import Wanted


class Stirring:
    """An engine that says at once that something has changed, since it is not there."""

    async def ready(self) -> bool:
        return False

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        return []

    async def look(self, wanted: Wanted) -> Heard:
        return Heard()

    async def stirred(self) -> None:
        return

    async def close(self) -> None:
        return


async def test_nobody_asks_an_engine_that_nobody_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is wanted of an engine that has not run, it is looked at once in a while, and not all the time."""
    monkeypatch.setattr(keepers, "LOOK_SECONDS", 3600.0)
    rounds = list[int]()
    keeper = Keeper(Engine.PULSE_RTP, Stirring(), Wanted("station"), lambda: rounds.append(1))
    keeping = asyncio.create_task(keeper.keep())
    for _ in range(1000):
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert len(rounds) == 1
