"""One process of a contender: ``python -m benchmarks.rpc.worker NAME serving|asking BROKER FOLDER``.

It says ``"ready"``, and ends with its standard input. Who asks is told what on standard input, and answers on standard
output: ``LOAD IN_FLIGHT SECONDS`` by the times of its calls; ``trips`` by the calls that one get takes.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.rpc import loads


def say(answer: Any) -> None:
    """One line on standard output."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def in_threads(manager: AbstractContextManager[Any]) -> None:
    """A contender that blocks."""
    with manager as calls:
        say("ready")
        for line in sys.stdin:
            load, in_flight, seconds = line.split()
            say(loads.by_threads(calls[load], int(in_flight), float(seconds)))


async def in_tasks(manager: Any) -> None:
    """A contender that awaits; it goes on while nobody asks it for anything."""
    async with manager as calls:
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            load, *how = line.split()
            if how:
                say(await loads.by_tasks(calls[load], int(how[0]), float(how[1])))
            else:
                say(await calls[load]())


def main(name: str, role: str, broker: str, folder: str) -> None:
    """Serve, or ask, until standard input ends."""
    manager = getattr(importlib.import_module(f"benchmarks.rpc.{name}"), role)(broker, Path(folder))
    if isinstance(manager, AbstractContextManager):
        in_threads(manager)
    else:
        asyncio.run(in_tasks(manager))


if __name__ == "__main__":
    main(*sys.argv[1:])
