"""``house ignore``: wake nothing any more for a requester."""

from __future__ import annotations

from house.cli.output import Output
from house.cli.place import ConfigFile, Json, Undo, once


def ignore(
    mac: str, /, *, machine: str | None = None, name: str = "", undo: Undo = False, config: ConfigFile = None,
    json: Json = False,
) -> int:  # fmt: skip
    """Wake no machine any more for whoever has this MAC address.

    Parameters
    ----------
    mac
        As `house history` shows it.
    machine
        Only this machine; without it, any.
    name
        What it is called.
    undo
        Listen to it again.
    """
    out = Output(json=json)
    if undo:
        once(config, lambda operator: operator.heed(mac, machine))
        out.say(f"{machine or 'any machine'} wakes for {mac} again")
    else:
        found = once(config, lambda operator: operator.ignore(mac, machine, name))
        out.say(f"{machine or 'any machine'} does not wake for {found.mac} any more")
    out.document({"mac": mac, "machine": machine, "ignored": not undo})
    return 0
