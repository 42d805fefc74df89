"""Which of PulseAudio's modules a host needs for what is wanted, and what has to be done for that: pure, from what was
found to acts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from house.playing import Playing, Sent
from house.sound.heard import FeedHeard, RoomHeard
from house.sound.pulse_rtp import feeding, sap
from house.sound.wanted import Feed, Room, Wanted

OURS = "house."
"""Begins the names of all that is ours in an engine that others use, too."""
RATE = "rate=48000 channels=2"
NETWORK_MS = 500
"""How much of a stream a room keeps from the network before it plays: PulseAudio's own measure."""
HERE_MS = 60
"""And of one that comes from its own host."""
SHORTEST_MS = 20
TTL = 1
"""A stream does not leave the house."""

_MARKS = {
    "module-null-sink": rf'sink_name="{OURS}',
    "module-rtp-send": rf'stream_name="{OURS}',
    "module-rtp-recv": r'sap_address="127\.',
    "module-loopback": rf'sink_input_properties="{OURS}',
}
"""By which ours are told from others'."""


@dataclass(frozen=True)
class Module:
    """A line of ``pactl list short modules``."""

    name: str
    argument: str


@dataclass(frozen=True)
class Loaded(Module):
    """One that is there, under its ``index``."""

    index: int

    @property
    def module(self) -> Module:
        return Module(self.name, self.argument)


@dataclass(frozen=True)
class Sink:
    """A sink: how loud it is in percent."""

    index: int
    name: str
    monitor: str
    volume: int
    mute: bool


@dataclass(frozen=True)
class Player:
    """A program that plays, by what it calls itself."""

    label: str
    process: int


@dataclass(frozen=True)
class Found:
    """What there is in an engine. ``beginning`` are labels of players that were begun and are not there yet."""

    modules: Sequence[Loaded] = ()
    sinks: Sequence[Sink] = ()
    sources: Sequence[str] = ()
    default_sink: str = ""
    players: Sequence[Player] = ()
    beginning: Sequence[str] = ()


# Acts.


@dataclass(frozen=True)
class Load:
    """Load a module, for ``room NAME`` or ``stream NAME``."""

    whose: str
    module: Module

    def __str__(self) -> str:
        return f"load {self.module.name} {self.module.argument}"


@dataclass(frozen=True)
class Unload:
    """Unload it."""

    loaded: Loaded

    def __str__(self) -> str:
        return f"unload {self.loaded.name} {self.loaded.argument}"


@dataclass(frozen=True)
class Turn:
    """Make a room as loud as it should be: ``room NAME``."""

    whose: str
    sink: Sink
    volume: int
    mute: bool

    def __str__(self) -> str:
        return f"set {self.sink.name} to {self.volume} %{', muted' if self.mute else ''}"


@dataclass(frozen=True)
class Begin:
    """Play a file or a radio into its stream."""

    feed: Feed

    def __str__(self) -> str:
        return f"play {self.feed.source} into {sink_of(self.feed)}"


@dataclass(frozen=True)
class End:
    """Do so no more."""

    player: Player

    def __str__(self) -> str:
        return f"end the player {self.player.label}"


Act = Load | Unload | Turn | Begin | End


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order; by which module each room plays, and from which source each stream goes out;
    and of which rooms and streams that cannot be, and why."""

    acts: tuple[Act, ...]
    receivers: dict[str, Module]
    sources: dict[str, str]
    rooms: dict[str, RoomHeard]
    feeds: dict[str, FeedHeard]


def sink_of(feed: Feed) -> str:
    """The sink that a stream's programs play into."""
    return f"{OURS}{feed.name}"


def source_of(feed: Feed) -> str:
    """The source that a stream comes from, on its own host."""
    if feed.kind == "capture":
        return feed.source
    return f"{feed.source if feed.kind == 'monitor' else sink_of(feed)}.monitor"


def plan(wanted: Wanted, found: Found) -> Plan:
    """From what is wanted, and what is there. A second plan for the same has no acts."""
    sending, sources, feeds = _sending(wanted, found)
    playing, receivers, rooms = _playing(wanted, found)
    lines = [*sending, *(act for act in playing if isinstance(act, Load))]
    turns = [act for act in playing if isinstance(act, Turn)]
    wants = {line.module for line in lines}
    there = {loaded.module for loaded in found.modules}
    unloads = [Unload(each) for each in found.modules if ours(each) and each.module not in wants]
    loads = [line for line in lines if line.module not in there]
    begins, ends = _feeding(wanted, found)
    return Plan((*ends, *unloads, *turns, *loads, *begins), receivers, sources, rooms, feeds)


def _feeding(wanted: Wanted, found: Found) -> tuple[list[Begin], list[End]]:
    played = {feeding.label(feed): feed for feed in wanted.feeds if feed.kind in feeding.KINDS and feed.enabled}
    there = {player.label for player in found.players}
    begins = [Begin(feed) for label, feed in played.items() if label not in {*there, *found.beginning}]
    ours = [player for player in found.players if player.label.startswith(OURS)]
    return begins, [End(player) for player in ours if player.label not in played]


def _sending(wanted: Wanted, found: Found) -> tuple[list[Load], dict[str, str], dict[str, FeedHeard]]:
    lines, sources, troubles = list[Load](), dict[str, str](), dict[str, FeedHeard]()
    to_come = {f"{sink_of(feed)}.monitor" for feed in wanted.feeds if _has_sink(feed)}
    for feed in wanted.feeds:
        source = source_of(feed)
        if feed.enabled and source not in {*found.sources, *to_come}:
            troubles[feed.name] = FeedHeard(Sent.BROKEN, f"there is no source {source!r} on {wanted.host}")
            continue
        if _has_sink(feed):
            lines.append(Load(f"stream {feed.name}", _null_sink(feed)))
        if feed.enabled:
            lines.append(Load(f"stream {feed.name}", _sender(feed)))
            sources[feed.name] = source
    return lines, sources, troubles


def _playing(wanted: Wanted, found: Found) -> tuple[list[Load | Turn], dict[str, Module], dict[str, RoomHeard]]:
    acts, receivers, troubles = list[Load | Turn](), dict[str, Module](), dict[str, RoomHeard]()
    taken = dict[str, str]()
    for room in wanted.rooms:
        sink = _sink(room, found)
        if sink is None:
            why = f"there is no sound card {room.sink or 'at all'} on {wanted.host}: is it unplugged?"
            troubles[room.name] = RoomHeard(Playing.UNPLUGGED, why)
            continue
        if (other := taken.setdefault(sink.name, room.name)) != room.name:
            troubles[room.name] = RoomHeard(Playing.BROKEN, f"the sound card {sink.name} is {other}'s already")
            continue
        if (sink.volume, sink.mute) != (room.volume, room.mute):
            acts.append(Turn(f"room {room.name}", sink, room.volume, room.mute))
        if room.feed is not None:
            here = room.feed.host == wanted.host
            receivers[room.name] = (_loopback if here else _receiver)(room, sink, room.feed)
            acts.append(Load(f"room {room.name}", receivers[room.name]))
    return acts, receivers, troubles


def ours(module: Module) -> bool:
    """Whether the house has loaded it."""
    mark = _MARKS.get(module.name)
    return mark is not None and re.search(mark, module.argument) is not None


def _has_sink(feed: Feed) -> bool:
    return feed.kind not in ("capture", "monitor")


def _sink(room: Room, found: Found) -> Sink | None:
    """The card that a room plays on. None of our own sinks is one."""
    cards = [sink for sink in found.sinks if not sink.name.startswith(OURS)]
    if room.sink:
        return next((sink for sink in cards if sink.name == room.sink), None)
    return next((sink for sink in cards if sink.name == found.default_sink), cards[0] if cards else None)


def _null_sink(feed: Feed) -> Module:
    shown = f'sink_properties="device.description={OURS}{feed.name}"'
    return Module("module-null-sink", f'sink_name="{sink_of(feed)}" {shown} {RATE} format=s16le')


def _sender(feed: Feed) -> Module:
    arguments = {"stream_name": sink_of(feed), "source": source_of(feed), "destination_ip": feed.group}
    return Module("module-rtp-send", f"{_quoted(arguments)} port={feed.port} ttl={TTL} {RATE} format=s16be")


def _receiver(room: Room, sink: Sink, feed: Feed) -> Module:
    arguments = {"sap_address": sap.address(room.name, feed), "sink": sink.name}
    latency = max(SHORTEST_MS, NETWORK_MS + room.offset_ms)
    return Module("module-rtp-recv", f"{_quoted(arguments)} latency_msec={latency}")


def _loopback(room: Room, sink: Sink, feed: Feed) -> Module:
    arguments = {
        "sink_input_properties": f"{OURS}room={room.name}", "source": source_of(feed), "sink": sink.name,
    }  # fmt: skip
    latency = max(SHORTEST_MS, HERE_MS + room.offset_ms)
    return Module(
        "module-loopback", f"{_quoted(arguments)} latency_msec={latency} sink_dont_move=yes source_dont_move=yes"
    )


def _quoted(arguments: dict[str, str]) -> str:
    """As PulseAudio reads them: whatever is in a name, it stays one argument."""
    return " ".join(f'{key}="{_escaped(value)}"' for key, value in arguments.items())


def _escaped(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value)
