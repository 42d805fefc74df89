"""``house away``: nobody is at home."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from house import clock, until
from house.cli.output import Output, at
from house.cli.place import ConfigFile, Json, Undo, once
from midflight import InvalidValue


def away(
    *, until_: Annotated[str, Parameter(name="--until")] = "", undo: Undo = False, config: ConfigFile = None,
    json: Json = False,
) -> int:  # fmt: skip
    """Leave the house: rules hold no machine awake until then, and wake none. Whoever asks for one still wakes it.

    Parameters
    ----------
    until_
        3d, 18:30, 2026-12-24 or 2026-12-24 18:00, where this machine is.
    undo
        Somebody is back.
    """
    out = Output(json=json)
    if undo:
        once(config, lambda operator: operator.come_back())
        out.say("somebody is at home")
        out.document({"away_until": None})
        return 0
    if not until_:
        raise InvalidValue(path="house away", received="nothing", expected="--until, or --undo")
    when = until.read(until_, clock.now())
    once(config, lambda operator: operator.leave(when))
    out.say(f"nobody is at home until {at(when)}")
    out.document({"away_until": when})
    return 0
