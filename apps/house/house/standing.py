"""How rooms and streams stand: what is wanted and what is heard of it, together. Pure functions of a patch bay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from house.objects.hearing import Hearing, Sending
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.stream import Stream
from house.playing import Playing, Sent

FRESH = timedelta(seconds=15)
"""An agent says every few seconds how its rooms stand. What is older than this counts no more."""


@dataclass(frozen=True)
class Room:
    """A room as it shall be, and as it is: ``words`` say what is to be known of it beside its state; what its agent
    measured is in ``hearing``, where that is fresh."""

    player: Player
    state: Playing
    words: str = ""
    hearing: Hearing | None = None


@dataclass(frozen=True)
class Source:
    """A stream as it shall be, and as it is; see ``Room``."""

    stream: Stream
    state: Sent
    words: str = ""
    sending: Sending | None = None


def rooms(bay: PatchBay, live: Iterable[Hearing] = (), asleep: Collection[str] = ()) -> list[Room]:
    """Each room. What agents say at this moment is ``live``, and counts more than their last reports; ``asleep`` are
    hosts that sleep."""
    told = {each.player: each for each in bay.hearings if _is_fresh(each.at, bay.at)}
    told |= {each.player: each for each in live}
    troubles = {each.stream.name: _trouble(each) for each in sources(bay, (), asleep)}
    streams = {stream.name: stream for stream in bay.streams}
    seen = {host.name: host.seen_at for host in bay.hosts}
    engines = {host.name: host.engines for host in bay.hosts}
    return [
        _room(
            player,
            streams,
            told.get(player.name),
            player.host in asleep,
            _silence(seen.get(player.host), bay.at),
            engines,
            troubles,
        )
        for player in bay.players
    ]


def _room(
    player: Player,
    streams: Mapping[str, Stream],
    told: Hearing | None,
    asleep: bool,
    silence: str,
    engines: Mapping[str, Collection[str]],
    troubles: Mapping[str, str],
) -> Room:
    """``engines`` are those of each host that has spoken, ``troubles`` what is wrong with each stream at its source."""
    wanted = streams.get(player.stream) if player.stream else None
    if told is None:
        if asleep:
            return Room(player, Playing.SILENT if wanted is None else Playing.WAITING, f"{player.host} sleeps")
        return Room(player, Playing.UNKNOWN, f"the agent of {player.host} {silence}")
    if told.state in (Playing.BROKEN, Playing.UNPLUGGED, Playing.UNKNOWN):
        return Room(player, told.state, told.why or "its agent does not say why", told)
    if wanted is None:
        return Room(player, Playing.SILENT, "", told)
    if not wanted.enabled:
        return Room(player, Playing.WAITING, f"{wanted.name} is disabled", told)
    if told.state is Playing.PLAYING and told.stream == wanted.name:
        return Room(player, Playing.PLAYING, told.why, told)
    words = _lack(player, wanted, engines) or troubles[wanted.name] or told.why or "on its way"
    return Room(player, Playing.WAITING, words, told)


def _trouble(source: Source) -> str:
    """Why nothing comes from a stream, by the word of its own host, or by its silence; empty where nothing is wrong
    there."""
    if source.state is Sent.IDLE:
        return f"nothing is played into {source.stream.name}"
    return source.words if source.state in (Sent.BROKEN, Sent.UNKNOWN) else ""


def _lack(player: Player, stream: Stream, engines: Mapping[str, Collection[str]]) -> str:
    """Why the stream cannot be sent to the room: its host has not the room's engine. Empty where it has, where that
    host has not spoken yet, and for a stream of the room's own host, which needs no engine."""
    if stream.host == player.host or player.engine in engines.get(stream.host, (player.engine,)):
        return ""
    return f"{stream.host} has no engine {player.engine}: see [app.sound] engines there"


UNTOLD = "—"
"""What an engine does not tell of a room."""


def measures(hearing: Hearing | None) -> dict[str, str]:
    """What was measured in a room, in words: ``{"in hand": "498 ms", "lost": "3 packets", "underruns": "—", …}``."""
    heard = hearing or Hearing(player="")
    lost = None if heard.lost is None else f"{heard.lost} packet{'s' * (heard.lost != 1)}"
    return {
        "in hand": _measure(heard.buffer_ms, "{:.0f} ms"),
        "lost": lost or UNTOLD,
        "jitter": _measure(heard.jitter_ms, "{:.1f} ms"),
        "drift": _measure(heard.drift_ppm, "{:+.0f} ppm"),
        "underruns": _measure(heard.underruns, "{}"),
        "restarts": _measure(None if hearing is None else hearing.restarts, "{}"),
    }


def _measure(value: float | None, form: str) -> str:
    return UNTOLD if value is None else form.format(value)


def sources(bay: PatchBay, live: Iterable[Sending] = (), asleep: Collection[str] = ()) -> list[Source]:
    """Each stream; the worst of what is said of it counts, where it is sent by several engines."""
    at_this_moment = list(live)
    spoken_of = {each.stream for each in at_this_moment}
    reported = [each for each in bay.sendings if _is_fresh(each.at, bay.at) and each.stream not in spoken_of]
    seen = {host.name: host.seen_at for host in bay.hosts}
    return [
        _source(
            stream,
            [each for each in (*at_this_moment, *reported) if each.stream == stream.name],
            stream.host in asleep,
            _silence(seen.get(stream.host), bay.at),
        )
        for stream in bay.streams
    ]


WORST = Sent.BROKEN, Sent.UNKNOWN, Sent.SENDING, Sent.IDLE, Sent.OFF


def _source(stream: Stream, told: list[Sending], asleep: bool, silence: str) -> Source:
    if not stream.enabled:
        return Source(stream, Sent.OFF, "disabled")
    if told:
        worst = min(told, key=lambda each: WORST.index(each.state))
        return Source(stream, worst.state, worst.why, worst)
    if asleep:
        return Source(stream, Sent.OFF, f"{stream.host} sleeps")
    if silence:
        return Source(stream, Sent.UNKNOWN, f"the agent of {stream.host} {silence}")
    return Source(stream, Sent.OFF, "no room needs it")


def _is_fresh(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at <= FRESH


def _silence(seen: datetime | None, now: datetime) -> str:
    """For how long an agent has not spoken; empty where it has just done so."""
    if seen is None:
        return "has said nothing yet"
    return "" if _is_fresh(seen, now) else f"has said nothing for {(now - seen).total_seconds():.0f} s"
