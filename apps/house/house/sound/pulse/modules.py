"""Which of PulseAudio's modules, and which programs, a host needs for what is wanted, and what has to be done for that:
pure, from what was found to acts."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from house.playing import Engine, Playing, Sent
from house.sound.heard import FeedHeard, RoomHeard
from house.sound.pulse import feeding
from house.sound.wanted import TONE, Feed, Room, Wanted

OURS = "house."
"""Begins the names of all that is ours in an engine that others use, too."""
RATE = "rate=48000 channels=2"
HERE_MS = 60
"""How much of a stream of its own host a room keeps before it plays."""
SHORTEST_MS = 20


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
class Program:
    """A program that carries a stream, by its arguments; the first one is its name."""

    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Running:
    """One that runs."""

    program: Program
    process: int


Line = Module | Program


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
    """What there is on a host. ``beginning`` are labels of players that were begun and are not there yet; ``needs`` are
    those of all its engines by now; ``server`` is another word for each PulseAudio that was started."""

    modules: Sequence[Loaded] = ()
    sinks: Sequence[Sink] = ()
    sources: Sequence[str] = ()
    default_sink: str = ""
    players: Sequence[Player] = ()
    beginning: Sequence[str] = ()
    programs: Sequence[Running] = ()
    needs: Sequence[Need] = ()
    server: str = ""


class Carrier(Protocol):
    """What an engine has of its own: what carries a stream from its host to a room's."""

    engine: Engine
    by_host_clock: bool
    """Whether it sends by the clock of its host. A device has a crystal of its own, so it is played into a sink first,
    into which PulseAudio resamples it: ``sink_of`` the stream has what is to be sent, for every kind."""

    def sender(self, feed: Feed) -> Line:
        """What sends it, on its own host."""
        ...

    def receiver(self, room: Room, sink: Sink, feed: Feed, server: str) -> Line:
        """What plays it in a room of another host. Under another ``server`` it is another one where it does not
        outlive PulseAudio."""
        ...

    def owns(self, line: Line) -> bool:
        """Whether it is one of these, for whatever stream or room."""
        ...


@dataclass(frozen=True)
class Need:
    """An engine sends a stream, so what that comes from stays."""

    carrier: Carrier
    feed: Feed


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
class Start:
    """Start a program, for ``room NAME`` or ``stream NAME``."""

    whose: str
    program: Program

    def __str__(self) -> str:
        return f"start {' '.join(self.program.arguments)}"


@dataclass(frozen=True)
class Stop:
    """End it."""

    running: Running

    def __str__(self) -> str:
        return f"end {' '.join(self.running.program.arguments)}"


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


Act = Load | Unload | Start | Stop | Turn | Begin | End


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order; by which line each room plays; by which one, and from which source, each
    stream goes out; and of which rooms and streams that cannot be, and why."""

    acts: tuple[Act, ...]
    receivers: dict[str, Line]
    senders: dict[str, Line]
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


def plan(wanted: Wanted, found: Found, carrier: Carrier) -> Plan:
    """From what is wanted, and what is there. A second plan for the same has no acts."""
    sinks, senders, sources, feeds = _sending(wanted, found, carrier)
    turns, receivers, rooms = _playing(wanted, found, carrier, feeds)
    lines: dict[Line, str] = {
        **sinks,
        **{line: f"stream {name}" for name, line in senders.items()},
        **{line: f"room {name}" for name, line in receivers.items()},
    }
    there = {each.module for each in found.modules} | {each.program for each in found.programs}
    begins, ends = _feeding(wanted, found)
    new = [_begun(line, whose) for line, whose in lines.items() if line not in there]
    return Plan(
        (*ends, *_over(lines, found, carrier), *turns, *new, *begins), receivers, senders, sources, rooms, feeds
    )


def _begun(line: Line, whose: str) -> Load | Start:
    return Load(whose, line) if isinstance(line, Module) else Start(whose, line)


def _over(lines: Collection[Line], found: Found, carrier: Carrier) -> list[Unload | Stop]:
    """What is there of this engine, and not wanted. A stream's sink is that of all engines that send it from there."""
    needed = {module for need in found.needs for module in _origin(need.feed, need.carrier)}
    loaded = [each for each in found.modules if _ours(each, carrier) and each.module not in {*lines, *needed}]
    running = [each for each in found.programs if carrier.owns(each.program) and each.program not in lines]
    # The last one first: what plays into a sink would be heard elsewhere without it.
    return [*(Stop(each) for each in running), *(Unload(each) for each in reversed(loaded))]


def _ours(loaded: Loaded, carrier: Carrier) -> bool:
    match loaded.name:
        case "module-null-sink":
            return f'sink_name="{OURS}' in loaded.argument
        case "module-sine":
            return f'sink="{OURS}' in loaded.argument
        case "module-loopback":
            return f'sink_input_properties="{_mark(carrier)}' in loaded.argument
        case _:
            return carrier.owns(loaded.module)


def _feeding(wanted: Wanted, found: Found) -> tuple[list[Begin], list[End]]:
    played, needed = _played(wanted.feeds), _played(need.feed for need in found.needs)
    there = {player.label for player in found.players}
    begins = [Begin(feed) for label, feed in played.items() if label not in {*there, *found.beginning}]
    ours = [player for player in found.players if player.label.startswith(OURS)]
    return begins, [End(player) for player in ours if player.label not in {*played, *needed}]


def _played(feeds: Iterable[Feed]) -> dict[str, Feed]:
    return {feeding.label(feed): feed for feed in feeds if feed.kind in feeding.KINDS and feed.enabled}


def _sending(
    wanted: Wanted, found: Found, carrier: Carrier
) -> tuple[dict[Line, str], dict[str, Line], dict[str, str], dict[str, FeedHeard]]:
    sinks, senders, sources, troubles = dict[Line, str](), dict[str, Line](), dict[str, str](), dict[str, FeedHeard]()
    to_come = {f"{sink_of(feed)}.monitor" for feed in wanted.feeds if _has_sink(feed)}
    for feed in wanted.feeds:
        source = source_of(feed)
        if feed.enabled and source not in {*found.sources, *to_come}:
            troubles[feed.name] = FeedHeard(Sent.BROKEN, f"there is no source {source!r} on {wanted.host}")
            continue
        sinks |= dict.fromkeys(_origin(feed, carrier), f"stream {feed.name}")
        if _is_steadied(feed, carrier):
            sinks[_steadied(feed, carrier)] = f"stream {feed.name}"
        if feed.enabled:
            senders[feed.name], sources[feed.name] = carrier.sender(feed), source
    return sinks, senders, sources, troubles


def _playing(
    wanted: Wanted, found: Found, carrier: Carrier, sourceless: Mapping[str, FeedHeard]
) -> tuple[list[Turn], dict[str, Line], dict[str, RoomHeard]]:
    turns, receivers, troubles = list[Turn](), dict[str, Line](), dict[str, RoomHeard]()
    taken = dict[str, str]()
    for room in (*wanted.cards, *wanted.rooms):
        if (sink := _sink(room, found)) is not None:
            taken.setdefault(sink.name, room.name)
    for room in wanted.rooms:
        sink = _sink(room, found)
        if sink is None:
            why = f"there is no sound card {room.sink or 'at all'} on {wanted.host}: is it unplugged?"
            troubles[room.name] = RoomHeard(Playing.UNPLUGGED, why)
            continue
        if (other := taken[sink.name]) != room.name:
            troubles[room.name] = RoomHeard(Playing.BROKEN, f"the sound card {sink.name} is {other}'s already")
            continue
        if (sink.volume, sink.mute) != (room.volume, room.mute):
            turns.append(Turn(f"room {room.name}", sink, room.volume, room.mute))
        if room.feed is not None and room.feed.host == wanted.host and room.feed.name in sourceless:
            troubles[room.name] = RoomHeard(Playing.WAITING, sourceless[room.feed.name].why)
        elif room.feed is not None and room.feed.host == wanted.host:
            receivers[room.name] = _here(room, sink, room.feed, carrier)
        elif room.feed is not None:
            receivers[room.name] = carrier.receiver(room, sink, room.feed, found.server)
    return turns, receivers, troubles


def _has_sink(feed: Feed) -> bool:
    return feed.kind not in ("capture", "monitor")


def _is_steadied(feed: Feed, carrier: Carrier) -> bool:
    return not _has_sink(feed) and feed.enabled and carrier.by_host_clock


def _sink(room: Room, found: Found) -> Sink | None:
    """The card that a room plays on. None of our own sinks is one."""
    cards = [sink for sink in found.sinks if not sink.name.startswith(OURS)]
    if room.sink:
        return next((sink for sink in cards if sink.name == room.sink), None)
    return next((sink for sink in cards if sink.name == found.default_sink), cards[0] if cards else None)


def _origin(feed: Feed, carrier: Carrier) -> list[Module]:
    """What makes the source that a stream is sent from: the sink that is played into; a test signal plays itself."""
    if not _has_sink(feed) and not _is_steadied(feed, carrier):
        return []
    shown = f'sink_properties="device.description={OURS}{feed.name}"'
    sink = Module("module-null-sink", f'sink_name="{sink_of(feed)}" {shown} {RATE} format=s16le')
    return [sink, Module("module-sine", f'sink="{sink_of(feed)}" frequency=440')] if feed.kind == TONE else [sink]


def _steadied(feed: Feed, carrier: Carrier) -> Module:
    return _loopback(feed, sink_of(feed), f"{_mark(carrier)}{feed.name}", HERE_MS)


def _here(room: Room, sink: Sink, feed: Feed, carrier: Carrier) -> Module:
    return _loopback(feed, sink.name, f"{_mark(carrier)}{room.name}", max(SHORTEST_MS, HERE_MS + room.offset_ms))


def _loopback(feed: Feed, sink: str, mark: str, latency_ms: int) -> Module:
    arguments = quoted({"sink_input_properties": mark, "source": source_of(feed), "sink": sink})
    return Module("module-loopback", f"{arguments} latency_msec={latency_ms} sink_dont_move=yes source_dont_move=yes")


def _mark(carrier: Carrier) -> str:
    return f"{OURS}{carrier.engine}="


def quoted(arguments: dict[str, str]) -> str:
    """As PulseAudio reads them: whatever is in a name, it stays one argument."""
    return " ".join(f'{key}="{_escaped(value)}"' for key, value in arguments.items())


def _escaped(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value)
