"""The observer's eyes: looks from outside at what can only be seen while it lives, and writes it down.

It asks the HTTP API as any user, reads /proc, the agents' records and the rows. What it saw goes to ``witness.jsonl``;
what it means is worked out from there by ``observer``.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from demo import proc
from demo.client import idle, view
from demo.counts import last
from demo.http import ask
from demo.operator import Refused
from demo.raw import Journal, requests
from demo.rows import Rows

SETTLED_WITHIN = 30.0
"""Seconds after the end of the load within which whatever was accepted must be done."""


async def settle(port: int, patience: float = SETTLED_WITHIN) -> float:
    """Wait until no instance has anything going on; the seconds that it took, at most ``patience``."""
    start = time.monotonic()
    while (waited := time.monotonic() - start) < patience:
        answer = await ask(port, "GET", "/instances")
        if answer.ok and all(map(idle, answer.body["instances"])):
            break
        await asyncio.sleep(0.25)
    return waited


async def look_back(run: Path, port: int, database: Rows, journal: Journal) -> None:
    """Write down, for every instance ever promised, what the API, the rows, the records and /proc say of it."""
    uuids = sorted({r.uuid for r in requests(run / "load.jsonl") if r.op == "create" and r.acknowledged})
    rows = database.instances()
    gate = asyncio.Semaphore(4)

    async def one(uuid: str) -> None:
        async with gate:
            api = await shown(port, uuid)
        row = {key: rows[uuid][key] for key in VIEW} if uuid in rows else None
        journal.write(kind="instance", uuid=uuid, api=api, row=row, machine=machine(run / "machines", uuid))

    await asyncio.gather(*map(one, uuids))


CONFLICT = 409
VIEW = ("flavor", "host", "vm_state", "task_state", "reboots")
"""What is compared."""


async def shown(port: int, uuid: str) -> dict[str, Any] | None:
    """What the API says of an instance; None when it says that there is none."""
    answer = await ask(port, "GET", f"/instances/{uuid}")
    if answer.ok:
        return view(answer.body)
    return None if answer.status == 404 else dict.fromkeys(VIEW, f"answer {answer.status} {answer.error}")


def machine(folder: Path, uuid: str) -> dict[str, Any]:
    """The agents' record of an instance, and whether the process that counted last still runs."""
    record, counted = folder / f"{uuid}.json", folder / f"{uuid}.count"
    latest = last(counted) if counted.exists() else None
    known = json.loads(record.read_text()) if record.exists() else None
    return {"record": known, "alive": latest is not None and proc.is_ours(latest.pid, uuid)}


async def look_at_forms(rows: Rows, journal: Journal) -> None:
    """Write down which instances the data migration has before it now, by the rows alone."""
    journal.write(kind="forms", unmigrated=rows.unmigrated(), completed=rows.completed())


def look_at_catalogue(rows: Rows, journal: Journal) -> None:
    """Write down which tables there are."""
    journal.write(kind="catalogue", tables=rows.tables())


async def refused_pause(port: int) -> str:
    """Ask for a pause of the oldest instance, which nobody else changes. Returns the refusal; raises Refused without
    one, and where the instance is not as it was."""
    before = (await ask(port, "GET", "/instances")).body["instances"][0]
    path = f"/instances/{before['uuid']}"
    answer, after = await ask(port, "POST", f"{path}/pause"), await ask(port, "GET", path)
    if answer.status != CONFLICT or view(after.body) != view(before):
        raise Refused(f"a pause was answered with {answer.status} {answer.body}, and left {view(after.body)}")
    return f"POST {path}/pause: {answer.status} {answer.body['error']}"


async def broker_engine(port: int) -> str:
    """The broker's name and version, from its own greeting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    greeting = await reader.readline()
    writer.close()
    return f"nats-server {json.loads(greeting.removeprefix(b'INFO '))['version']}"
