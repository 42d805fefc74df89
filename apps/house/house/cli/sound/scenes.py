"""``house sound scenes``, ``scene``, ``save`` and ``drop``: how rooms shall be, by one name or at one time."""

from __future__ import annotations

from house.cli.output import Output
from house.cli.place import ConfigFile, Json, once
from house.cli.sound.rooms import tell
from house.hours import read_clock, read_days, zone_here


def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """Which scenes there are, and when they play by themselves."""
    scenes = once(config, lambda operator: operator.sound.bay()).scenes
    out = Output(json=json)
    if scenes:
        out.table(("scene", "rooms", "at"), [(each.name, each.rooms_in_words, each.in_words or "-") for each in scenes])
    else:
        out.say("there is no scene yet: house sound save NAME keeps how the rooms are now")
    out.document({"scenes": scenes})
    return 0


def scene(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Set rooms as a scene says. A machine that sleeps is woken for it."""
    patched = once(config, lambda operator: operator.sound.play(name))
    return tell(patched, f"{name}: {', '.join(patched.rooms) or 'no rooms'}", json)


def save(
    name: str, /, *rooms: str, at: str = "", days: str = "", zone: str = "", config: ConfigFile = None,
    json: Json = False,
) -> int:  # fmt: skip
    """Keep how rooms are now, by a name: house sound save party. A scene of this name is replaced. A machine that
    sleeps is woken once for one with a time, and plans for it when it falls asleep again.

    Parameters
    ----------
    name
        What it is called; in quotes, it may have spaces.
    rooms
        Only these rooms or groups; others are left as they are when it plays.
    at
        It plays by itself at this time, like 07:00.
    days
        On these days, like Mon-Fri; each day, without it.
    zone
        The time zone, like Europe/Berlin; without it, that of this machine.
    """
    when = read_clock("at", at) if at else None
    which = read_days(days or "daily") if at or days else []
    where = zone or zone_here()
    kept, patched = once(config, lambda operator: operator.sound.save_scene(name, rooms, which, when, where))
    said = f"{name}: {kept.rooms_in_words}{f'; {kept.in_words}' if kept.in_words else ''}"
    return tell(patched, said, json, scene=kept)


def drop(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Drop a scene. Rooms stay as they are."""
    once(config, lambda operator: operator.sound.drop_scene(name))
    out = Output(json=json)
    out.say(f"the scene {name} is dropped")
    out.document({"dropped": name})
    return 0
