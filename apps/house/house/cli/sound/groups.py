"""``house sound group``: rooms that are patched together."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from house.cli.output import Output
from house.cli.place import ConfigFile, Json, once
from midflight import InvalidValue


def group(
    name: str, /, *rooms: str, remove: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    config: ConfigFile = None, json: Json = False,
) -> int:  # fmt: skip
    """A name for several rooms: house sound group downstairs kitchen hall. A group that has the name gets these rooms.

    Parameters
    ----------
    name
        What it is called.
    rooms
        Which rooms.
    remove
        Take the name away; its rooms stay as they are.
    """
    out = Output(json=json)
    if remove:
        once(config, lambda operator: operator.sound.remove_group(name))
        out.say(f"{name} is no group any more")
        out.document({"removed": name})
        return 0
    if not rooms:
        raise InvalidValue(path="house sound group", received="no rooms", expected="one at least, or --remove")
    made = once(config, lambda operator: operator.sound.set_group(name, rooms))
    out.say(f"{name} is {', '.join(made.players)}")
    out.document(made)
    return 0
