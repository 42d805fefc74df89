"""How loud a stream is said to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from house.sound.pulse.levels import Levels, Place
from house.sound.pulse.server import Server


async def test_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room is as loud as what it plays: what its last stream's input has played is not the next one's."""

    async def peaks(self: Server, source: str, input: int | None) -> AsyncIterator[float]:
        while True:
            yield 0.5 if input == 1 else 0.0
            await asyncio.sleep(0)

    monkeypatch.setattr(Server, "peaks", peaks)
    levels = Levels(Server(()))
    levels.listen({"room hall": Place("dac.monitor", 1)})
    for _ in range(10):
        await asyncio.sleep(0)
    assert levels.take("room hall") == pytest.approx(-6.02, abs=0.01)
    for _ in range(10):
        await asyncio.sleep(0)
    levels.listen({"room hall": Place("dac.monitor", 2)})
    assert levels.take("room hall") is None
    levels.close()
