"""``midflight run``: one service of the project, until it is told to stop."""

from __future__ import annotations

import socket

from midflight.cli.options import ConfigFile
from midflight.cli.place import open_place
from midflight.process import run_service


async def run(service: str, /, *, host: str | None = None, config: ConfigFile = None) -> int:
    """Run one service of the project until it is told to stop.

    On SIGTERM it takes no new work, finishes what is in hand, and leaves the fleet. Its log goes to standard error.

    Parameters
    ----------
    service
        Its name in the project, or conductor.
    host
        The name under which this process is addressed: letters, digits, - and _; else this machine's.
    """
    place = open_place(config)
    name = socket.gethostname().partition(".")[0] if host is None else host
    return await run_service(place.project, place.config, service, name)
