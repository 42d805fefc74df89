"""Trials: for some seconds rooms play a quiet test signal by one engine, instead of what they hear. It is only in
memory: whatever ends a trial, the house's wish is played again, and so it is by an agent that begins."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from house.errors import NotFound, NotNow
from house.objects.hearing import Hearing
from house.objects.stream import TEST
from house.objects.trial import Trial
from house.playing import Engine
from house.sound.keeper import Keeper
from house.sound.wanted import TONE, Feed, Room, Wanted
from midflight import InvalidValue

NAME = "sound.test"
"""Of the signal's stream. No stream of the house has a dot in its name."""
GROUP, PORT = str(TEST), 5004
LOUDEST = 20
"""Percent: a room that is quieter stays so."""
LONGEST_SECONDS = 300.0
START_SECONDS = 10.0
"""What is not heard by then is not heard."""
_SILENCE = 10 ** (-70 / 20)
"""Of full scale. The signal has half of it."""
_EACH_SECONDS = 0.1
"""So long is that of which a peak is told."""


@dataclass(frozen=True)
class Signal:
    """The signal of a trial: by which engine, and in which rooms of this host."""

    engine: Engine
    feed: Feed
    rooms: tuple[Room, ...]


def instead(wanted: Wanted, engine: Engine, signal: Signal) -> Wanted:
    """What an engine is to do meanwhile: the signal's rooms are its own where it is the signal's engine, and else they
    are none of it."""
    tried = {room.name for room in signal.rooms}
    rooms = tuple(room for room in wanted.rooms if room.name not in tried)
    if engine is not signal.engine:
        return msgspec.structs.replace(wanted, rooms=rooms)
    feeds = (*wanted.feeds, signal.feed) if signal.feed.host == wanted.host else wanted.feeds
    return msgspec.structs.replace(wanted, feeds=feeds, rooms=(*rooms, *signal.rooms))


class Trials:
    """Those of one host; its keepers are told by ``want`` what the house wants of them."""

    def __init__(self, host: str, keepers: Sequence[Keeper]) -> None:
        self._host, self._keepers = host, keepers
        self._wanted: Mapping[str, Wanted] = {keeper.engine: keeper.wanted for keeper in keepers}
        self.signal: Signal | None = None

    @property
    def rooms(self) -> set[str]:
        """Those that play the signal, or are to play it."""
        return {room.name for room in self.signal.rooms} if self.signal is not None else set()

    def want(self, wanted: Mapping[str, Wanted]) -> None:
        """This by each engine, from now on, or as soon as no trial is under way."""
        self._wanted = wanted
        for keeper in self._keepers:
            its = wanted[keeper.engine]
            keeper.want(its if self.signal is None else instead(its, keeper.engine, self.signal))

    async def run(self, engine: Engine, sender: str, rooms: Sequence[str], seconds: float) -> list[Trial]:
        """Have rooms of this host play the signal, and send it, if this host is the sender, until they have heard it
        for so long; with no rooms, until that time is over. Raises NotNow, NotFound and InvalidValue."""
        if not 0 < seconds <= LONGEST_SECONDS:
            raise InvalidValue(path="seconds", received=f"{seconds:g}", expected=f"at most {LONGEST_SECONDS:g}")
        keeper = next((each for each in self._keepers if each.engine is engine), None)
        if keeper is None:
            raise NotNow(self._host, f"it has no engine {engine}: see [app.sound] engines there")
        if keeper.rehearses:
            raise NotNow(self._host, "it rehearses, and plays nothing: see [app.sound] rehearse there")
        if self.signal is not None:
            raise NotNow(self._host, "another test of sound is under way there")
        feed = Feed(NAME, TONE, "", sender, GROUP, PORT)
        self.signal = Signal(engine, feed, tuple([self._quiet(name, feed) for name in rooms]))
        self.want(self._wanted)
        try:
            if rooms:
                return await asyncio.gather(*(self._try(keeper, name, seconds) for name in rooms))
            await asyncio.sleep(seconds)
            return []
        finally:
            self.signal = None
            self.want(self._wanted)

    def _quiet(self, name: str, feed: Feed) -> Room:
        known = {card.name: card for wanted in self._wanted.values() for card in wanted.cards}
        known |= {room.name: room for wanted in self._wanted.values() for room in wanted.rooms}
        if name not in known:
            raise NotFound(f"room on {self._host}", name)
        room = known[name]
        return msgspec.structs.replace(room, feed=feed, why="", volume=min(room.volume, LOUDEST))

    async def _try(self, keeper: Keeper, room: str, seconds: float) -> Trial:
        restarts = keeper.restarts
        heard, peaks = await _first_heard(keeper, room), list[float]()
        if heard.stream == NAME:
            peaks = await keeper.listen(room, seconds)
            heard = keeper.hearing(room) or heard
        loudest = max(peaks, default=0.0)
        return Trial(
            player=room, engine=keeper.engine, seconds=seconds, lost=heard.lost, jitter_ms=heard.jitter_ms,
            buffer_ms=heard.buffer_ms, level_db=20 * math.log10(loudest) if loudest > _SILENCE else None,
            silent=min(seconds, sum(peak <= _SILENCE for peak in peaks) * _EACH_SECONDS) if peaks else seconds,
            restarts=keeper.restarts - restarts, why=heard.why,
        )  # fmt: skip


async def _first_heard(keeper: Keeper, room: str) -> Hearing:
    """How the room stands when it plays the signal, or when it has not done so in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + START_SECONDS
    while True:
        heard = keeper.hearing(room) or Hearing(player=room)
        if heard.stream == NAME or loop.time() > until:
            return heard
        await asyncio.sleep(_EACH_SECONDS)
