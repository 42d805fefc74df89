"""A driver: PulseAudio and the programs beside it are told what is wanted, and asked how it stands."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from house.playing import Playing, Sent
from house.sound.errors import EngineDead, EngineError
from house.sound.heard import FeedHeard, Heard, RoomHeard
from house.sound.pulse import feeding
from house.sound.pulse.levels import Levels, Place
from house.sound.pulse.modules import (
    Act,
    Begin,
    Carrier,
    End,
    Found,
    Line,
    Load,
    Plan,
    Player,
    Program,
    Start,
    Stop,
    Turn,
    Unload,
    plan,
)
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Input, Server
from house.sound.pulse.sources import Sources
from house.sound.wanted import Feed, Room, Wanted


class PulseDriver:
    """See ``Driver``. An engine has its ``carrier``, and may know more of its streams than PulseAudio does."""

    def __init__(self, carrier: Carrier, server: Server, sources: Sources, programs: Programs) -> None:
        self._carrier, self._server, self._sources, self._programs = carrier, server, sources, programs
        self._levels = Levels(server)
        self._plan = Plan((), {}, {}, {}, {}, {})
        self._failed: dict[str, str] = {}
        """Why what was done for ``room NAME`` or ``stream NAME`` could not be done."""
        self._troubles: list[str] = []
        """And what is for neither."""

    # What an engine may do besides.

    def heed(self, wanted: Wanted) -> None:
        """This was done."""

    def doubt(self, feed: Feed) -> str:
        """What is odd about a stream that is heard here, in words."""
        return ""

    def measured(self, room: Room, feed: Feed, heard: RoomHeard) -> RoomHeard:
        """What is heard of a room that has this stream, and what is known of its way there."""
        return heard

    def seen(self, room: Room, feed: Feed, *, fed: bool) -> None:
        """Whether a room has something in hand of another host's stream, as it was seen just now."""

    # What every driver can do.

    async def ready(self, *, start: bool = True) -> bool:
        is_new = await self._server.connected(start=start)
        return self._programs.ended() or is_new

    def need(self, wanted: Wanted) -> None:
        self._sources.need(self._carrier, wanted.feeds)

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        async with self._sources.lock:
            found = await self._found(wanted)
            planned = plan(wanted, found, self._carrier)
            if not rehearse:
                self._plan, self._failed, self._troubles = planned, {}, []
                self._programs.watch(found.programs)
                for act in planned.acts:
                    await self._do(act)
                self.heed(wanted)
        return [str(act) for act in planned.acts]

    async def _found(self, wanted: Wanted) -> Found:
        players = [Player(each.application, each.process) for each in await self._server.inputs() if each.process]
        beginning = [feeding.label(feed) for feed in wanted.feeds if self._sources.feeding.begins(feed)]
        return replace(
            await self._server.found(), players=players, beginning=beginning,
            programs=self._programs.found(self._carrier.owns), needs=self._sources.needs,
        )  # fmt: skip

    async def _do(self, act: Act) -> None:
        try:
            match act:
                case Load(_, module):
                    await self._server.load(module)
                case Unload(loaded):
                    await self._server.unload(loaded)
                case Start(_, program):
                    await self._programs.start(program)
                case Stop(running):
                    await self._programs.stop(running)
                case Turn(_, sink, volume, mute):
                    await self._server.turn(sink, volume, mute)
                case Begin(feed):
                    await self._sources.feeding.begin(feed)
                case End(player):
                    feeding.end(player.label, player.process)
        except EngineDead:
            raise
        except EngineError as wrong:  # the others play on
            why = f"could not {act}: {wrong}"
            match act:
                case Load(whose) | Start(whose) | Turn(whose):
                    self._failed[whose] = why
                case Begin(feed):
                    self._failed[f"stream {feed.name}"] = why
                case _:
                    self._troubles.append(why)

    # How it stands.

    async def look(self, wanted: Wanted) -> Heard:
        found, inputs = await self._server.found(), await self._server.inputs()
        owners = {loaded.module: loaded.index for loaded in found.modules}
        processes = {each.program: each.process for each in self._programs.found(self._carrier.owns)}
        monitors = {sink.index: sink.monitor for sink in found.sinks}
        playing = dict[str, Input]()
        for name, line in self._plan.receivers.items():
            for each in inputs:
                if isinstance(line, Program):
                    its = each.process is not None and each.process == processes.get(line)
                else:
                    its = each.module == owners.get(line)
                if its:
                    playing[name] = each
        self._levels.listen(
            {  # a card that has just come may be among the inputs' sinks only
                f"room {name}": Place(monitors[each.sink], each.index)
                for name, each in playing.items()
                if each.sink in monitors
            }
            | {f"stream {name}": Place(source) for name, source in self._plan.sources.items()}
        )
        return Heard(
            {room.name: self._room(room, wanted.host, playing.get(room.name)) for room in wanted.rooms},
            {feed.name: self._feed(feed) for feed in wanted.feeds},
            tuple(self._troubles),
        )

    def _room(self, room: Room, host: str, input: Input | None) -> RoomHeard:
        if room.name in self._plan.rooms:
            return self._plan.rooms[room.name]
        if why := self._failed.get(f"room {room.name}"):
            return RoomHeard(Playing.BROKEN, why)
        if room.feed is None:
            return RoomHeard(Playing.SILENT)
        if room.feed.host != host:
            self.seen(room, room.feed, fed=input is not None and input.queue_ms > 0)
        level = self._levels.take(f"room {room.name}")
        if input is not None and level is not None:
            heard = RoomHeard(Playing.PLAYING, self.doubt(room.feed), level, input.buffer_ms)
            return self.measured(room, room.feed, heard)
        if why := self._failure(self._plan.receivers.get(room.name)):
            return RoomHeard(Playing.BROKEN, why)
        return RoomHeard(Playing.WAITING, self.doubt(room.feed) or f"nothing comes from {room.feed.name}")

    def _failure(self, line: Line | None) -> str:
        return self._programs.failure(line) if isinstance(line, Program) else ""

    def _feed(self, feed: Feed) -> FeedHeard:
        if feed.name in self._plan.feeds:
            return self._plan.feeds[feed.name]
        if why := self._failed.get(f"stream {feed.name}"):
            return FeedHeard(Sent.BROKEN, why)
        if not feed.enabled:
            return FeedHeard(Sent.OFF)
        if why := self._failure(self._plan.senders.get(feed.name)):
            return FeedHeard(Sent.BROKEN, why)
        level = self._levels.take(f"stream {feed.name}")
        if level is not None:
            return FeedHeard(Sent.SENDING, level_db=level)
        why = self._sources.feeding.failure(feed)
        return FeedHeard(Sent.BROKEN, why) if why else FeedHeard(Sent.IDLE)

    async def listen(self, room: str, seconds: float) -> list[float]:
        place, peaks = self._levels.place(f"room {room}"), list[float]()
        if place is None:
            return peaks
        try:
            async with asyncio.timeout(seconds):
                async for peak in self._server.peaks(place.source, place.input):
                    peaks.append(abs(peak))
        except TimeoutError:
            pass  # the usual case
        return peaks

    async def stirred(self) -> None:
        waiting = [asyncio.create_task(each) for each in (self._server.stirred(), self._programs.stirred())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def close(self) -> None:
        self._programs.close()
        self._levels.close()
        self._server.close()
