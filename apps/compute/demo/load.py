"""The load client, a process of its own: ``python -m demo.load PORT RAW_LOG``.

It takes commands from standard input and answers each on standard output, one JSON line each way:
``{"do": "start", "rate": 40, "workers": 12}`` → ``{"done": 12}``, or ``{"failed": "…"}``. The commands are the public
methods of Traffic. It ends when standard input does.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from demo.client import Client
from demo.raw import Journal
from demo.traffic import Traffic

COMMANDS = frozenset(
    {"populate", "start", "put_in_flight", "avoid", "offer", "migrate", "resize_quiet", "pause", "stop"}
)


async def obey(traffic: Traffic, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command; never raises."""
    try:
        name = command.pop("do")
        if name not in COMMANDS:
            raise ValueError(f"received command {name!r}, expected one of {', '.join(sorted(COMMANDS))}")
        done = getattr(traffic, name)(**command)
        return {"done": await done if asyncio.iscoroutine(done) else done}
    except Exception as wrong:  # noqa: BLE001 - whatever it is, the road must hear of it, and the client go on
        return {"failed": f"{type(wrong).__name__}: {wrong}"}


async def main(port: int, raw_log: Path) -> None:
    """Obey until standard input ends."""
    journal = Journal(raw_log)
    traffic = Traffic(Client(port, journal))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await obey(traffic, json.loads(line))), flush=True)
    await traffic.stop()
    journal.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C on the terminal is the road's to handle
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
