"""Which engine the network bears: what is tried for that, and what follows from what rooms heard. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from house.errors import NotFound
from house.names import ALL
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.trial import Trial
from house.playing import Engine
from midflight import InvalidValue

CLOSEST = Engine.GST_NETCLOCK, Engine.SNAPCAST, Engine.PULSE_RTP
"""The closer together the rooms of an engine play, the earlier it comes: as `make bench-audio` measures it."""
LOST = 1 / 3
"""Packets in a second: each one that is lost is a click."""
SECONDS = 5.0
"""How long each room listens by each engine, where nobody says otherwise."""
START = 2.0
"""Seconds until a signal is heard, in most networks."""


@dataclass(frozen=True)
class Try:
    """By one engine, rooms by their hosts."""

    engine: Engine
    rooms: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Advice:
    """For a room: its engine, or None where none plays well there, and why."""

    room: str
    engine: Engine | None
    why: str


def targets(bay: PatchBay, names: Collection[str]) -> list[Player]:
    """The rooms of these names, which may be groups' or ``names.ALL``; all of them for none. Raises NotFound."""
    groups = {group.name: group.players for group in bay.groups}
    rooms = {player.name for player in bay.players}
    known = {*groups, *rooms, ALL}
    for name in names:
        if name not in known:
            raise NotFound.among("room or group", name, known)
    if not names or ALL in names:
        return [*bay.players]
    meant = {room for name in names for room in groups.get(name, [name])}
    return [player for player in bay.players if player.name in meant]


def sender(bay: PatchBay, given: str) -> str:
    """The host that sends the signal: the one that is given, else that from which most streams come. Raises NotFound
    and InvalidValue."""
    if given:
        if given not in (hosts := {host.name for host in bay.hosts}):
            raise NotFound.among("host with sound", given, hosts)
        return given
    most = Counter(stream.host for stream in bay.streams).most_common(1)
    if not most:
        raise InvalidValue(path="--from", received="nothing", expected="a host: the house has no stream yet")
    return most[0][0]


def senders(bay: PatchBay, rooms: Sequence[Player]) -> list[str]:
    """The hosts from which something can be tried in these rooms, those from which most streams come first."""
    most = Counter(stream.host for stream in bay.streams)
    hosts = sorted((host.name for host in bay.hosts), key=lambda name: -most[name])
    return [name for name in hosts if _tries(bay, rooms, name)]


def tries(bay: PatchBay, rooms: Sequence[Player], sender: str) -> list[Try]:
    """Each engine that the sender has, in those of the rooms that are on other hosts and have it, too. Raises
    InvalidValue where there is none."""
    if not (found := _tries(bay, rooms, sender)):
        raise InvalidValue(
            path="rooms", received=", ".join(room.name for room in rooms) or "none",
            expected=f"one on another host than {sender}, with an engine that {sender} has, too",
        )  # fmt: skip
    return found


def _tries(bay: PatchBay, rooms: Sequence[Player], sender: str) -> list[Try]:
    engines = {host.name: host.engines for host in bay.hosts}
    found = list[Try]()
    for engine in CLOSEST:
        by_host = dict[str, list[str]]()
        for room in rooms:
            if room.host != sender and engine in engines.get(room.host, ()):
                by_host.setdefault(room.host, []).append(room.name)
        if by_host and engine in engines.get(sender, ()):
            found.append(Try(engine, by_host))
    return found


def interruption(tries: Sequence[Try], seconds: float) -> str:
    """What somebody has to know before rooms listen for so long by each engine."""
    rooms = ", ".join(sorted({name for each in tries for names in each.rooms.values() for name in names}))
    return f"What is heard in {rooms} stops for about {len(tries) * (seconds + START):.0f} s."


def was_tried(trial: Trial) -> bool:
    """Whether its agent has listened; else ``why`` says why not."""
    return trial.seconds > 0


def untested(rooms: Iterable[Player], sender: str, trials: Sequence[Trial]) -> dict[str, str]:
    """Those of the rooms in which nothing was tried, and why."""
    tried = {trial.player for trial in trials if was_tried(trial)}
    failed = {trial.player: trial.why for trial in trials if not was_tried(trial)}
    return {
        room.name: failed.get(room.name)
        or (f"{sender} is its own host" if room.host == sender else f"{room.host} has no engine that {sender} has")
        for room in rooms
        if room.name not in tried
    }


def fault(trial: Trial) -> str:
    """What was wrong with what the room heard, in words; empty where nothing was."""
    if trial.level_db is None:
        return trial.why or "nothing was heard"
    if trial.why:
        return trial.why
    if trial.lost is not None and trial.lost > LOST * trial.seconds:
        return f"{trial.lost} packets are lost in {trial.seconds:g} s"
    if trial.silent:
        return f"silent for {trial.silent:.1f} of {trial.seconds:g} s"
    return "it ended, and was started again" if trial.restarts else ""


def advise(trials: Sequence[Trial]) -> list[Advice]:
    """For each room that was tried: the engine whose rooms are the closest together of those that play without a fault
    there; the same for all rooms where there is one, since rooms of two engines do not play together."""
    good = {
        room: [engine for engine in CLOSEST if engine in _clean(trials, room)]
        for room in dict.fromkeys(trial.player for trial in trials if was_tried(trial))
    }
    playing = [engines for engines in good.values() if engines]
    common = next((engine for engine in CLOSEST if all(engine in each for each in playing)), None)
    return [_advice(room, engines, common, len(playing) > 1, trials) for room, engines in good.items()]


def _clean(trials: Sequence[Trial], room: str) -> set[Engine]:
    return {trial.engine for trial in trials if trial.player == room and not fault(trial)}


def _advice(room: str, good: Sequence[Engine], common: Engine | None, several: bool, trials: Sequence[Trial]) -> Advice:
    wrong = [f"{trial.engine}: {fault(trial)}" for trial in trials if trial.player == room and fault(trial)]
    if not good:
        return Advice(room, None, "; ".join(["no engine plays well there", *wrong]))
    engine = common or good[0]
    said = ["it plays well in all of these rooms" if common and several else "it plays well there"]
    if len(good) > 1:
        said.append("of the engines that do, its rooms are the closest together")
    if not common:
        said.append("no engine plays well everywhere, and rooms of two engines do not play together")
    return Advice(room, engine, "; ".join([*said, *wrong]))
