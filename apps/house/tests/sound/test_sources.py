"""Engines of a host share what its streams come from: none takes away what another one needs, or is about to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from house.playing import Engine
from house.sound.agent import Agent
from house.sound.file import WantedFile
from house.sound.nap import Nap
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.modules import Carrier, Found, Loaded, Module, Sink
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Input, Server
from house.sound.pulse.sources import Sources
from house.sound.pulse_rtp.lines import RtpLines
from house.sound.snapcast.lines import SnapcastLines
from house.sound.wanted import Feed, Wanted
from midflight import Context

PULSE, SNAP = Engine.PULSE_RTP, Engine.SNAPCAST
SENT = Wanted("station", (Feed("radio", "sink", "", "station", "239.255.12.1", 5004),))
NOTHING = Wanted("station")


class Modules(Server):
    """A PulseAudio that has these modules, and does what it is told."""

    def __init__(self) -> None:
        super().__init__(())
        self.loaded: list[Loaded] = []
        self._numbers = iter(range(1000))

    async def connected(self, *, start: bool = True) -> bool:
        return False

    async def found(self) -> Found:
        return Found([*self.loaded], [Sink(0, "dac", "dac.monitor", 100, mute=False)])

    async def inputs(self) -> list[Input]:
        return []

    async def load(self, module: Module) -> int:
        self.loaded.append(Loaded(module.name, module.argument, next(self._numbers)))
        return self.loaded[-1].index

    async def unload(self, loaded: Loaded) -> None:
        self.loaded.remove(loaded)

    async def peaks(self, source: str, input: int | None) -> AsyncIterator[float]:
        return
        yield


class Station:
    """A host with the engines pulse-rtp, which is kept first, and snapcast; in its file is what was wanted of them."""

    def __init__(self, folder: Path, pulse: Wanted, snap: Wanted, *, has_left: bool = False) -> None:
        file, self.server, self._sources = WantedFile(folder / "sound.json"), Modules(), Sources()
        file.write({PULSE: pulse, SNAP: snap})
        drivers = {PULSE: self._driver(RtpLines()), SNAP: self._driver(SnapcastLines(folder))}
        left = {SNAP: drivers.pop(SNAP)} if has_left else {}
        self.agent = Agent("station", drivers, {}, file, Context, Nap(contextlib.nullcontext), left)

    def _driver(self, carrier: Carrier) -> PulseDriver:
        return PulseDriver(carrier, self.server, self._sources, Programs({}))

    async def step(self) -> list[tuple[int, str]]:
        """The first engine does what is wanted of it; which modules there are then."""
        await self.agent.keepers[0].step()
        return [(each.index, each.name) for each in self.server.loaded]


@pytest.mark.parametrize("has_left", [False, True])
async def test_an_agent_that_begins(has_left: bool, tmp_path: Path) -> None:
    """An engine of which nothing is wanted, and which is looked at first, leaves the sink of a stream that another one
    sends, also of one that the host has no more, whose rooms may come to it yet."""
    before = Station(tmp_path, SENT, NOTHING)
    sink, _ = await before.step()
    assert sink == (0, "module-null-sink")
    after = Station(tmp_path, NOTHING, SENT, has_left=has_left)
    after.server.loaded = before.server.loaded
    assert await after.step() == [sink]
    assert await after.step() == [sink]
    await after.agent._leave()
    assert await after.step() == ([] if has_left else [sink])


async def test_rooms_that_go_from_one_engine_to_another(tmp_path: Path) -> None:
    """The engine that they leave, and that may be the first to hear of it, leaves the sink of their stream."""
    station = Station(tmp_path, SENT, NOTHING)
    sink, _ = await station.step()
    station.agent._trials.want({PULSE: NOTHING, SNAP: SENT})
    assert await station.step() == [sink]
    station.agent._trials.want({PULSE: NOTHING, SNAP: NOTHING})
    assert await station.step() == []
