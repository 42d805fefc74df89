"""``house sound rooms``, and what is heard there: ``patch``, ``off``, ``volume``, ``mute``, ``timer``, ``room``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from house import clock, until
from house.cli.output import Output, at, complain
from house.cli.place import ConfigFile, Json, Undo, once
from house.errors import NotFound
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.operator import Operator
from house.playing import Playing
from house.sound_operator import Live, Patched, engine_of
from house.standing import Room, measures, rooms
from house.states import State
from midflight import InvalidValue

AGAIN = 75


def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """What each room shall hear, and what it does."""
    out = Output(json=json)
    bay, live, asleep = once(config, seen)
    standing = rooms(bay, live.hearings, asleep)
    if standing:
        out.table(("room", "hears", "state", "volume", "notes"), [_row(room) for room in standing])
    else:
        out.say("the house knows no room yet: start an agent beside a sound card by `midflight run sound`")
    for group in bay.groups:
        out.say(f"group {group.name}: {', '.join(group.players) or 'no rooms'}")
    for host in bay.hosts:
        for trouble in host.troubles:
            out.say(f"{host.name}: {trouble}")
    out.document({"rooms": [*map(_told, standing)], "groups": bay.groups, "hosts": bay.hosts})
    return 0


def _told(room: Room) -> dict[str, object]:
    return {"room": room.player, "state": room.state.value, "why": room.words, "heard": room.hearing}


async def seen(operator: Operator) -> tuple[PatchBay, Live, set[str]]:
    """The patch bay, what agents say at this moment, and which hosts sleep."""
    bay = await operator.sound.bay()
    asleep = {machine.name for machine in (await operator.house()).machines if machine.state is State.ASLEEP}
    return bay, await operator.sound.live(bay), asleep


def _row(room: Room) -> Sequence[str]:
    player, heard = room.player, room.hearing
    notes = [room.words] if room.words else []
    if player.offset_ms:
        notes.append(f"{player.offset_ms:+g} ms")
    if player.off_at is not None:
        notes.append(f"until {at(player.off_at)}")
    if heard is not None and heard.level_db is not None and room.state is Playing.PLAYING:
        notes.append(f"{heard.level_db:.0f} dB")
    volume = "muted" if player.muted else f"{player.volume} %"
    return player.name, player.stream or "-", room.state.value, volume, ", ".join(notes)


def patch(target: str, stream: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Have rooms hear a stream, from now on. A machine that sleeps is woken for it.

    Parameters
    ----------
    target
        A room, a group, or all.
    stream
        Which stream.
    """
    patched = once(config, lambda operator: operator.sound.patch(target, stream))
    return tell(patched, f"{_named(patched.rooms)} {_verb(patched.rooms, 'hear')} {stream}", json)


def off(target: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Have rooms be silent.

    Parameters
    ----------
    target
        A room, a group, or all.
    """
    patched = once(config, lambda operator: operator.sound.patch(target, None))
    return tell(patched, f"{_named(patched.rooms)} {_verb(patched.rooms, 'fall')} silent", json)


def tell(patched: Patched, said: str, json: bool, **more: object) -> int:
    """What has been done, and for whom it was not enough: then it ends with 75. ``more`` is told in JSON, too."""
    out = Output(json=json)
    out.say(said)
    for wake in patched.woken:
        if wake.took_seconds is None:
            complain(f"warning: {wake.machine} sleeps, and has not woken after {wake.tries} tries")
        else:
            out.say(f"{wake.machine} was woken for it, in {wake.took_seconds:.1f} s")
    for trouble in patched.troubles:
        complain(f"warning: {trouble}")
    out.document({**more, "rooms": patched.rooms, "woken": patched.woken, "troubles": patched.troubles})
    return AGAIN if patched.troubles or any(wake.took_seconds is None for wake in patched.woken) else 0


def volume(target: str, percent: int, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """How loud rooms are.

    Parameters
    ----------
    target
        A room, a group, or all.
    percent
        From 0 to 100.
    """
    changed = once(config, lambda operator: operator.sound.set_volume(target, percent))
    return _changed(changed, f"{_verb(changed, 'play')} at {percent} %", json)


def mute(target: str, /, *, undo: Undo = False, config: ConfigFile = None, json: Json = False) -> int:
    """Mute rooms. They go on hearing what they hear.

    Parameters
    ----------
    target
        A room, a group, or all.
    undo
        Let them be heard again.
    """
    changed = once(config, lambda operator: operator.sound.mute(target, not undo))
    return _changed(changed, f"{_verb(changed, 'be')} {'heard again' if undo else 'muted'}", json)


def timer(target: str, when: str = "", /, *, undo: Undo = False, config: ConfigFile = None, json: Json = False) -> int:
    """Let rooms fall silent by themselves, then: house sound timer bedroom 45m.

    Parameters
    ----------
    target
        A room, a group, or all.
    when
        45m, 2h, 23:30 or 2026-12-24 18:00, where this machine is.
    undo
        Let them play on.
    """
    if undo == bool(when):
        received = "both" if undo else "neither"
        raise InvalidValue(path="house sound timer", received=received, expected="a time, or --undo")
    moment = None if undo else until.read(when, clock.now())
    changed = once(config, lambda operator: operator.sound.turn_off_at(target, moment))
    said = f"{_verb(changed, 'play')} on" if moment is None else f"{_verb(changed, 'fall')} silent at {at(moment)}"
    return _changed(changed, said, json)


def room(
    name: str, /, *, host: str = "", sink: str | None = None, engine: str = "", offset: float | None = None,
    config: ConfigFile = None, json: Json = False,
) -> int:  # fmt: skip
    """Where a room is played, by which engine, and how much later than others. Without any of these, it is told how the
    room stands, and what was measured there.

    Parameters
    ----------
    name
        The room.
    host
        The host with its sound card.
    sink
        The sound card, in the words of the engine; "" is the default one.
    engine
        What carries streams to it: one that some host can use, as pulse-rtp.
    offset
        Milliseconds by which it plays later, or earlier where that is negative: for an amplifier that takes its time.
    """
    given: dict[str, Any] = {
        "host": host or None, "sink": sink, "engine": engine or None, "offset_ms": offset,
    }  # fmt: skip
    values = {field: value for field, value in given.items() if value is not None}
    if not values:
        return _show(name, config, json)
    changed = once(config, lambda operator: _changed_room(operator, name, values))
    out = Output(json=json)
    out.say(_place(changed))
    out.document(changed)
    return 0


def _place(player: Player) -> str:
    where = f"{player.host} {player.sink}".rstrip()
    return f"{player.name} is played by {player.engine.value} on {where}, {player.offset_ms:+g} ms"


def _show(name: str, config: ConfigFile, json: bool) -> int:
    out = Output(json=json)
    bay, live, asleep = once(config, seen)
    found = next((each for each in rooms(bay, live.hearings, asleep) if each.player.name == name), None)
    if found is None:
        raise NotFound.among("room", name, (player.name for player in bay.players))
    out.say(_place(found.player))
    out.say(f"hears {found.player.stream or 'nothing'}: {found.state.value}{found.words and f', {found.words}'}")
    for what, value in measures(found.hearing).items():
        out.say(f"  {what:<10} {value}")
    out.document(_told(found))
    return 0


async def _changed_room(operator: Operator, name: str, values: dict[str, Any]) -> Player:
    if "engine" in values:
        values["engine"] = engine_of(await operator.sound.bay(), values["engine"])
    return await operator.sound.change_room(name, values)


def forget(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Forget a room that is gone, also in groups and scenes. Its agent, where it still has it in its configuration,
    makes it known again."""
    once(config, lambda operator: operator.sound.forget_room(name))
    out = Output(json=json)
    out.say(f"{name} is forgotten")
    out.document({"forgotten": name})
    return 0


def _changed(changed: Sequence[str], said: str, json: bool) -> int:
    out = Output(json=json)
    out.say(f"{_named(changed)} {said}")
    out.document({"rooms": changed})
    return 0


def _named(names: Sequence[str]) -> str:
    """``kitchen``, ``kitchen and bath``, ``no room``."""
    *others, last = names or ["no room"]
    return f"{', '.join(others)} and {last}" if others else last


def _verb(names: Sequence[str], verb: str) -> str:
    """For one, or for several."""
    if verb == "be":
        return "are" if len(names) > 1 else "is"
    return verb if len(names) > 1 else f"{verb}s"
