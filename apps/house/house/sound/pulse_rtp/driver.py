"""The driver: PulseAudio is told what is wanted, and asked how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from house.playing import Playing, Sent
from house.sound.errors import EngineDead, EngineError
from house.sound.heard import FeedHeard, Heard, RoomHeard
from house.sound.pulse_rtp import feeding, sap
from house.sound.pulse_rtp.announcer import Announcer
from house.sound.pulse_rtp.feeding import Feeding
from house.sound.pulse_rtp.levels import Levels, Place
from house.sound.pulse_rtp.modules import Act, Begin, End, Found, Load, Plan, Player, Turn, Unload, plan
from house.sound.pulse_rtp.server import Input, Server
from house.sound.wanted import Feed, Room, Wanted


class PulseRtp:
    """See ``Driver``. ``start`` is what starts PulseAudio, if nobody else does, and leaves it running; it is that of
    the user as whom we run, or the one at ``address`` (as in PULSE_SERVER)."""

    def __init__(self, start: Sequence[str], address: str | None = None) -> None:
        self._server = Server(start, address)
        self._levels = Levels(self._server)
        self._plan = Plan((), {}, {}, {}, {})
        self._failed: dict[str, str] = {}
        """Why what was done for ``room NAME`` or ``stream NAME`` could not be done."""
        self._troubles: list[str] = []
        """And what is for neither."""
        self._announcer = Announcer()
        self._feeding = Feeding(address)

    async def ready(self) -> bool:
        is_new = await self._server.connected()
        self._announcer.start()
        return is_new

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        planned = plan(wanted, await self._found(wanted))
        if not rehearse:
            self._plan, self._failed, self._troubles = planned, {}, []
            for act in planned.acts:
                await self._do(act)
            self._announcer.announce(
                {
                    sap.address(room.name, room.feed): room.feed
                    for room in wanted.rooms
                    if room.feed is not None and room.feed.host != wanted.host
                }
            )
        return [str(act) for act in planned.acts]

    async def _found(self, wanted: Wanted) -> Found:
        players = [Player(each.application, each.process) for each in await self._server.inputs() if each.process]
        beginning = [feeding.label(feed) for feed in wanted.feeds if self._feeding.begins(feed)]
        return replace(await self._server.found(), players=players, beginning=beginning)

    async def _do(self, act: Act) -> None:
        try:
            match act:
                case Load(_, module):
                    await self._server.load(module)
                case Unload(loaded):
                    await self._server.unload(loaded)
                case Turn(_, sink, volume, mute):
                    await self._server.turn(sink, volume, mute)
                case Begin(feed):
                    await self._feeding.begin(feed)
                case End(player):
                    feeding.end(player.label, player.process)
        except EngineDead:
            raise
        except EngineError as wrong:  # the others play on
            why = f"could not {act}: {wrong}"
            match act:
                case Load(whose) | Turn(whose):
                    self._failed[whose] = why
                case Begin(feed):
                    self._failed[f"stream {feed.name}"] = why
                case _:
                    self._troubles.append(why)

    # How it stands.

    async def look(self, wanted: Wanted) -> Heard:
        found, inputs = await self._server.found(), await self._server.inputs()
        indexes = {loaded.module: loaded.index for loaded in found.modules}
        monitors = {sink.index: sink.monitor for sink in found.sinks}
        playing = dict[str, Input]()
        for name, module in self._plan.receivers.items():
            for each in inputs:
                if each.module == indexes.get(module):
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
            self._announcer.seen(sap.address(room.name, room.feed), fed=input is not None and input.queue_ms > 0)
        level = self._levels.take(f"room {room.name}")
        if input is None or level is None:
            return RoomHeard(Playing.WAITING, self._doubt(room.feed) or f"nothing comes from {room.feed.name}")
        return RoomHeard(Playing.PLAYING, self._doubt(room.feed), level, input.buffer_ms)

    def _doubt(self, feed: Feed) -> str:
        senders = self._announcer.senders(feed)
        return f"{' and '.join(senders)} all send to {feed.group}, which is {feed.name}'s" if len(senders) > 1 else ""

    def _feed(self, feed: Feed) -> FeedHeard:
        if feed.name in self._plan.feeds:
            return self._plan.feeds[feed.name]
        if why := self._failed.get(f"stream {feed.name}"):
            return FeedHeard(Sent.BROKEN, why)
        if not feed.enabled:
            return FeedHeard(Sent.OFF)
        level = self._levels.take(f"stream {feed.name}")
        if level is not None:
            return FeedHeard(Sent.SENDING, level_db=level)
        why = self._feeding.failure(feed)
        return FeedHeard(Sent.BROKEN, why) if why else FeedHeard(Sent.IDLE)

    async def stirred(self) -> None:
        await self._server.stirred()

    async def close(self) -> None:
        self._announcer.close()
        self._levels.close()
        self._server.close()
