"""``house rule``: hours in which machines do not sleep."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from house.cli.output import Output
from house.cli.place import ConfigFile, Json, once
from house.hours import read_clock, read_days, zone_here


def rule(
    machine: str | None = None, /, *, days: str = "", begins: str = "08:00", ends: str = "18:00", zone: str = "",
    wakes: Annotated[bool, Parameter(negative="", show_default=False)] = False, note: str = "",
    undo: Annotated[int | None, Parameter(name="--undo")] = None, config: ConfigFile = None, json: Json = False,
) -> int:  # fmt: skip
    """Add hours in which a machine, or each, does not sleep; without --days, list them.

    Parameters
    ----------
    machine
        Only this one; without it, every machine.
    days
        Mon-Fri, or "Mon, Wed, Sat", or daily.
    begins
        From when.
    ends
        Until when; on the next day, where that is before the beginning.
    zone
        The time zone of the hours, like Europe/Berlin; without it, that of this machine.
    wakes
        It is woken when they begin, too.
    note
        What for.
    undo
        Drop the rule of this number.
    """
    out = Output(json=json)
    if undo is not None:
        once(config, lambda operator: operator.unrule(undo))
        out.say(f"rule {undo} is dropped")
        out.document({"dropped": undo})
    elif days:
        hours = read_days(days), read_clock("begins", begins), read_clock("ends", ends)
        where = zone or zone_here()
        made = once(config, lambda operator: operator.rule(machine, *hours, zone=where, wakes=wakes, note=note))
        out.say(f"{machine or 'every machine'} stays awake {made.in_words}")
        out.document(made)
    else:
        found = once(config, lambda operator: operator.house()).rules
        rows = [(str(each.id), each.machine or "every machine", each.in_words, each.note) for each in found]
        out.table(("rule", "machine", "hours", "note"), rows)
        out.document({"rules": list(found)})
    return 0
