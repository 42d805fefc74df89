"""Who may ask for what. A role is the name of a service, as the broker proves it; people come as guests."""

from __future__ import annotations

from house.errors import NotYours
from midflight import Context

AGENT = ("sleeper",)
WATCHER = ("watcher",)
SOUND = ("sound",)
PEOPLE = ("guest", "operator")
"""The command line and the page, and midflight's own commands."""


def check_own(context: Context, machine: str) -> None:
    """An agent, of sleep or of sound, speaks of the machine that it runs on. Raises NotYours where it speaks of
    another."""
    caller = context.caller
    if caller is not None and caller.service in (*AGENT, *SOUND) and caller.host != machine:
        raise NotYours(machine, str(caller))
