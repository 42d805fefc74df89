"""From the house's words to an engine's, and back."""

from __future__ import annotations

from collections.abc import Sequence

from house.objects.hearing import Hearing, Sending
from house.objects.player import Player
from house.objects.stream import Stream
from house.objects.wiring import Wiring
from house.playing import Engine, Playing, Sent
from house.sound.heard import FeedHeard, RoomHeard
from house.sound.wanted import Feed, Room, Wanted

LONGEST = 255
"""So many characters of a reason the house keeps."""


def wanted(wiring: Wiring, engine: Engine) -> Wanted:
    """What one engine of the host is to do. It has all streams of the host where some room of the house, or one of this
    host, hears by it."""
    streams = {stream.name: stream for stream in wiring.streams}
    players = [player for player in wiring.players if player.engine is engine]
    sent = [stream for stream in wiring.streams if stream.host == wiring.host]
    return Wanted(
        wiring.host,
        tuple(map(_feed, sent)) if engine in wiring.engines or players else (),
        tuple(_room(player, streams) for player in players),
        tuple(Room(player.name, player.sink) for player in wiring.players),
    )


def _feed(stream: Stream) -> Feed:
    return Feed(stream.name, stream.kind, stream.source, stream.host, str(stream.address), stream.port, stream.enabled)


def _room(player: Player, streams: dict[str, Stream]) -> Room:
    stream = None if player.stream is None else streams.get(player.stream)
    off = stream is not None and not stream.enabled
    return Room(
        player.name, player.sink, player.volume, player.muted, round(player.offset_ms),
        None if stream is None or off else _feed(stream), f"{player.stream} is disabled" if off else "",
    )  # fmt: skip


def hearing(room: Room, heard: RoomHeard, restarts: int) -> Hearing:
    """What a room does. That it has no stream is no silence which was wished for, where its stream is disabled."""
    waits = heard.state is Playing.SILENT and bool(room.why)
    return Hearing(
        player=room.name,
        state=Playing.WAITING if waits else heard.state,
        stream=room.feed.name if room.feed is not None and heard.state is Playing.PLAYING else None,
        level_db=heard.level_db, buffer_ms=heard.buffer_ms, drift_ppm=heard.drift_ppm, lost=heard.lost,
        jitter_ms=heard.jitter_ms, underruns=heard.underruns, restarts=restarts,
        why=cut(room.why if waits else heard.why),
    )  # fmt: skip


def sending(feed: Feed, engine: Engine, heard: FeedHeard, restarts: int) -> Sending:
    """What a stream does, by this engine."""
    return Sending(
        stream=feed.name, engine=engine, state=heard.state, level_db=heard.level_db, restarts=restarts,
        why=cut(heard.why),
    )  # fmt: skip


def cut(why: str) -> str:
    """A reason, as long as the house can keep it."""
    return why if len(why) <= LONGEST else f"{why[: LONGEST - 1]}…"


def broken(engine: Engine, what: Wanted, why: str, restarts: int) -> tuple[list[Hearing], list[Sending]]:
    """Of an engine that does not answer: all that it should do, and does not."""
    room, feed = RoomHeard(Playing.BROKEN, why), FeedHeard(Sent.BROKEN, why)
    return (
        [hearing(each, room, restarts) for each in what.rooms],
        [sending(each, engine, feed, restarts) for each in what.feeds],
    )


def homeless(wiring: Wiring, engines: Sequence[Engine]) -> list[Hearing]:
    """The host's rooms whose engine it has not."""
    return [
        Hearing(
            player=player.name,
            state=Playing.BROKEN,
            why=f"{wiring.host} has no engine {player.engine}: see [app.sound] engines",
        )
        for player in wiring.players
        if player.engine not in engines
    ]
