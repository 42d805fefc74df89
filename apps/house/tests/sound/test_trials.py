"""Rooms play a test signal for a while, and afterwards what they played before."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from house.errors import NotFound, NotNow
from house.objects.trial import Trial
from house.playing import Engine, Playing, Sent
from house.sound import trials
from house.sound.heard import FeedHeard, Heard, RoomHeard
from house.sound.keeper import Keeper
from house.sound.trials import GROUP, NAME, PORT, Signal, Trials, instead
from house.sound.wanted import TONE, Feed, Room, Wanted
from midflight import InvalidValue
from tests.sound.lab.studio import PATIENCE

PULSE, SNAP = Engine.PULSE_RTP, Engine.SNAPCAST
RADIO = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)
HALL, BATH = Room("hall", "card", volume=70, feed=RADIO), Room("bath", "jack", volume=10)
TEST = Feed(NAME, TONE, "", "station", GROUP, PORT)


class Obedient:
    """An engine whose rooms play what is wanted at once, at these peaks, or break."""

    def __init__(self, peaks: list[float], why: str = "") -> None:
        self.peaks, self.why = peaks, why
        self.done, self.runs = Wanted("pi"), False
        self.held = asyncio.Event()
        """While it is not set, whoever listens waits."""
        self.held.set()

    async def ready(self, *, start: bool = True) -> bool:
        was, self.runs = self.runs, True
        return not was

    def need(self, wanted: Wanted) -> None:
        return

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        self.done = wanted
        return []

    async def look(self, wanted: Wanted) -> Heard:
        state = Playing.BROKEN if self.why else Playing.PLAYING
        rooms = {room.name: RoomHeard(state if room.feed else Playing.SILENT, self.why) for room in wanted.rooms}
        return Heard(rooms, {feed.name: FeedHeard(Sent.SENDING) for feed in wanted.feeds})

    async def listen(self, room: str, seconds: float) -> list[float]:
        await self.held.wait()
        return self.peaks

    async def stirred(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        return


class Host:
    """One with an engine of either kind, both of which are kept; its hall hears the radio by the first one."""

    def __init__(self, *peaks: float, why: str = "", rehearses: bool = False) -> None:
        self.engines = {PULSE: Obedient([*peaks], why), SNAP: Obedient([*peaks], why)}
        cards = (Room("hall", "card"), Room("bath", "jack"))
        self.wanted = {PULSE: Wanted("pi", (), (HALL,), cards), SNAP: Wanted("pi", (), (BATH,), cards)}
        self.keepers = [
            Keeper(engine, driver, self.wanted[engine], lambda: None, rehearses=rehearses)
            for engine, driver in self.engines.items()
        ]
        self.trials = Trials("pi", self.keepers)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """While the engines are kept."""
        tasks = [asyncio.create_task(keeper.keep()) for keeper in self.keepers]
        try:
            async with asyncio.timeout(PATIENCE):
                await work
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def does(self, wanted: dict[Engine, Wanted]) -> None:
        """Wait until its engines do that."""
        while {engine: driver.done for engine, driver in self.engines.items()} != wanted:
            await asyncio.sleep(0.01)

    def tried(self) -> dict[Engine, Wanted]:
        """What they do while the hall is tried by snapcast."""
        signal = Signal(SNAP, TEST, (msgspec.structs.replace(HALL, feed=TEST, volume=20),))
        return {engine: instead(self.wanted[engine], engine, signal) for engine in self.engines}


def test_a_signal_instead() -> None:
    """A room that plays the signal is only the engine's by which it does, and the others stay whose they are; the
    signal goes out from its own host."""
    signal = Signal(SNAP, TEST, (msgspec.structs.replace(HALL, feed=TEST),))
    wanted = Wanted("station", (RADIO,), (HALL, BATH))
    assert instead(wanted, PULSE, signal) == Wanted("station", (RADIO,), (BATH,))
    assert instead(wanted, SNAP, signal) == Wanted("station", (RADIO, TEST), (BATH, signal.rooms[0]))
    assert instead(Wanted("pi"), SNAP, signal) == Wanted("pi", (), signal.rooms)


async def test_a_trial() -> None:
    """A room plays the signal by the engine, no louder than is quiet, and is listened to; afterwards all is as the
    house wants it by then."""

    async def work() -> None:
        await host.does(host.wanted)
        engine = host.engines[SNAP]
        engine.held.clear()
        running = asyncio.create_task(host.trials.run(SNAP, "station", ["hall"], 0.4))
        await host.does(host.tried())
        assert host.trials.rooms == {"hall"}
        host.wanted[SNAP] = Wanted("pi", (), (msgspec.structs.replace(BATH, volume=11),))
        host.trials.want(host.wanted)
        await host.does(host.tried())
        engine.held.set()
        (trial,) = await running
        assert (trial.player, trial.engine, trial.seconds, trial.why) == ("hall", SNAP, 0.4, "")
        assert trial.level_db == pytest.approx(-6.02, abs=0.01)
        assert trial.silent == pytest.approx(0.1)
        await host.does(host.wanted)
        assert host.trials.rooms == set()

    host = Host(0.5, 0.0, 0.5, 0.4)
    await host.run(work())


async def test_a_trial_that_nobody_waits_for() -> None:
    """It ends, and what was heard before is heard again."""

    async def work() -> None:
        host.engines[SNAP].held.clear()
        running = asyncio.create_task(host.trials.run(SNAP, "station", ["hall"], 5))
        await host.does(host.tried())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await host.does(host.wanted)

    host = Host(0.5)
    await host.run(work())


async def test_a_room_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trial says why, and for how long it was: all the time."""

    async def work() -> None:
        (trial,) = await host.trials.run(SNAP, "station", ["hall"], 5)
        assert trial == Trial(player="hall", engine=SNAP, seconds=5, silent=5, why="snapclient is ill")

    monkeypatch.setattr(trials, "START_SECONDS", 0.05)
    host = Host(why="snapclient is ill")
    await host.run(work())


async def test_what_cannot_be_tried() -> None:
    """A room of another host, an engine that this one has not, a second test at a time, and one without an end are
    refused, and rooms play on."""

    async def work() -> None:
        run = host.trials.run
        with pytest.raises(NotFound, match="the house has no room on pi 'attic'"):
            await run(SNAP, "station", ["hall", "attic"], 5)
        with pytest.raises(NotNow, match="pi: it has no engine gst-netclock: see"):
            await run(Engine.GST_NETCLOCK, "station", ["hall"], 5)
        for seconds in (0.0, -1.0, 301.0, float("nan")):
            with pytest.raises(InvalidValue, match="seconds: received"):
                await run(SNAP, "station", ["hall"], seconds)
        await host.does(host.wanted)
        sending = asyncio.create_task(run(SNAP, "pi", [], 5))
        while NAME not in [feed.name for feed in host.engines[SNAP].done.feeds]:
            await asyncio.sleep(0.01)
        with pytest.raises(NotNow, match="pi: another test of sound is under way there"):
            await run(SNAP, "pi", ["hall"], 5)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await host.does(host.wanted)

    host = Host(0.5)
    await host.run(work())


async def test_a_host_that_rehearses_tries_nothing() -> None:
    """It plays nothing: what would be heard there says nothing of the network."""
    host = Host(rehearses=True)
    for rooms in ([], ["hall"]):
        with pytest.raises(NotNow, match="pi: it rehearses, and plays nothing: see"):
            await host.trials.run(SNAP, "pi", rooms, 5)
    assert host.trials.rooms == set()
