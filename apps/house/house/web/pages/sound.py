"""The page Sound: rooms and streams as a patch bay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from house import trying
from house.names import ALL
from house.objects.hearing import Hearing
from house.objects.patch_bay import PatchBay
from house.objects.scene import Scene
from house.playing import Kind, Playing, Sent
from house.sound_operator import Live
from house.standing import Room, Source, measures, rooms, sources
from house.states import State
from house.web.sources import BAY, HOUSE, LIVE
from house.web.view import HouseView
from midflight.web import Page

HUES = 8
"""Streams have so many colours; then they begin again."""
QUIETEST = -60.0
"""dB below full scale that are no length of a bar."""

KINDS = {
    Kind.SINK: "programs",
    Kind.CAPTURE: "capture",
    Kind.MONITOR: "monitor",
    Kind.FILE: "file",
    Kind.RADIO: "radio",
    Kind.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class Column:
    """A stream."""

    name: str
    hue: int
    source: Source
    kind: str
    title: str
    queue: Sequence[str]
    level: float
    """Of 100."""
    heard: Sequence[str]
    """In these rooms."""


@dataclass(frozen=True)
class Row:
    """A room, or several of them by one name. ``hears`` is the stream that all of its rooms hear, ``mixed`` are those
    that only some do."""

    target: str
    name: str
    hears: str | None
    mixed: frozenset[str]
    volume: int
    muted: bool
    room: Room | None = None
    """None for several."""
    rooms: Sequence[str] = ()
    level: float = 0.0
    measured: str = ""
    """By its agent, in words."""


@dataclass(frozen=True)
class Button:
    """A scene, and whether all of its rooms are as it says."""

    scene: Scene
    on: bool


def _model(view: HouseView) -> Mapping[str, Any]:
    bay = view.picture.of(BAY)
    if bay is None:
        return {"bay": None}
    live = view.picture.of(LIVE) or Live()
    asleep = {machine.name for machine in view.house.machines if machine.state is State.ASLEEP}
    standing = rooms(bay, live.hearings, asleep)
    streams = [_column(bay, number, each) for number, each in enumerate(sources(bay, live.sendings, asleep))]
    return {
        "bay": bay,
        "streams": streams,
        "hues": {each.name: each.hue for each in streams},
        "groups": [*_everywhere(bay), *(_together(bay, each.name, each.name, each.players) for each in bay.groups)],
        "rooms": [_row(room) for room in standing],
        "playing": sum(room.state is Playing.PLAYING for room in standing),
        "scenes": [_button(bay, scene) for scene in bay.scenes],
        "can_test": bool(trying.senders(bay, bay.players)),
        "troubles": [(host.name, trouble) for host in bay.hosts for trouble in host.troubles],
        "all": ALL,
    }


def _column(bay: PatchBay, number: int, source: Source) -> Column:
    stream, sending = source.stream, source.sending
    return Column(
        name=stream.name,
        hue=number % HUES,
        source=source,
        kind=KINDS[stream.kind],
        title=sending.title if sending else "",
        queue=sending.queue if sending else (),
        level=_length(sending.level_db if sending and source.state is Sent.SENDING else None),
        heard=[player.name for player in bay.players if player.stream == stream.name],
    )


def _row(room: Room) -> Row:
    player = room.player
    level = room.hearing.level_db if room.hearing and room.state is Playing.PLAYING and not player.muted else None
    return Row(
        target=player.name,
        name=player.name,
        hears=player.stream,
        mixed=frozenset(),
        volume=player.volume,
        muted=player.muted,
        room=room,
        level=_length(level),
        measured=_measured(room.hearing),
    )


def _measured(hearing: Hearing | None) -> str:
    """``in hand 498 ms, lost 3 packets, jitter 2.1 ms, drift —, underruns —, restarts 0``."""
    if hearing is None:
        return "nothing is known of it at this moment"
    return ", ".join(f"{what} {value}" for what, value in measures(hearing).items())


def _everywhere(bay: PatchBay) -> Sequence[Row]:
    """All rooms, where there are several."""
    names = [player.name for player in bay.players]
    return [_together(bay, ALL, "Everywhere", names)] if len(names) > 1 else []


def _together(bay: PatchBay, target: str, name: str, names: Sequence[str]) -> Row:
    ours = [player for player in bay.players if player.name in names]
    heard = {player.stream for player in ours}
    return Row(
        target=target,
        name=name,
        hears=next(iter(heard)) if len(heard) == 1 else None,
        mixed=frozenset(stream for stream in heard if stream) if len(heard) > 1 else frozenset(),
        volume=round(sum(player.volume for player in ours) / len(ours)) if ours else 0,
        muted=bool(ours) and all(player.muted for player in ours),
        rooms=names,
    )


def _button(bay: PatchBay, scene: Scene) -> Button:
    now = {player.name: player for player in bay.players}
    on = bool(scene.settings) and all(
        (room := now.get(setting.player)) is not None
        and room.stream == setting.stream
        and setting.volume in (None, room.volume)
        and setting.muted in (None, room.muted)
        for setting in scene.settings
    )
    return Button(scene, on)


def _length(level_db: float | None) -> float:
    return 0.0 if level_db is None else round(min(100.0, max(0.0, 100 * (1 - level_db / QUIETEST))), 1)


SOUND_PAGE = Page("sound", "Sound", "s", _model, (HOUSE, BAY, LIVE))
