"""How long whoever connects to a sleeper waits, in each mode, for machines that resume at once, in 1.5 s and in 4 s."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from house.states import Mode, State
from tests.lab.network import PORT, Network, Sleeper, network
from tests.lab.watching import Watching, watching

RESUMES = 0.0, 1.5, 4.0
AT_ONCE = 6
QUERIER_SECONDS = 45.0
"""What the bridge's querier needs to begin."""
Cell = tuple[Mode, float, bool, int]
CELLS: list[Cell] = list(itertools.product((Mode.SNIFF, Mode.ANSWER, Mode.PROXY), RESUMES, (False, True), (4, 6)))


async def measure(folder: Path) -> dict[str, Any]:
    """``matrix``, and from it ``connect_s`` and ``proxy_late_s``, with a bridge that snoops and one that does not."""
    rows: list[dict[str, Any]] = []
    for snooping in False, True:
        rows += await _cells(folder / str(snooping), snooping)
    proxied = [row for row in rows if row["mode"] == "proxy"]
    missed = [row for row in proxied if row["connect_s"] is None]
    late = [row["connect_s"] - row["resume_s"] for row in proxied if row["connect_s"] is not None]
    instant = [row["connect_s"] for row in proxied if row["resume_s"] == 0 and row["stale"] and row["connect_s"]]
    return {
        "matrix": rows,
        "connect_s": round(max(instant), 3),
        "proxy_late_s": round(max(late), 3),
        "missed": len(missed),
    }


async def _cells(state: Path, snooping: bool) -> list[dict[str, Any]]:
    """Six at a time, side by side, each time with a watcher that has not heard the asker before: in the modes that wake
    for any question, it would take one that asks for all of them for a scanner."""
    sleepers = [Sleeper(number, resume, mode) for number, (mode, resume, _, _) in enumerate(CELLS)]
    rows: list[dict[str, Any]] = []
    async with network(sleepers, snooping) as net:
        if snooping:
            await asyncio.sleep(QUERIER_SECONDS)
        for first in range(0, len(CELLS), AT_ONCE):
            cells = [*zip(sleepers, CELLS, strict=True)][first : first + AT_ONCE]
            async with watching(net, state / str(first)) as watcher:
                await watcher.sees(State.AWAKE, *sleepers)
                rows += await asyncio.gather(*(_cell(net, watcher, s, cell, snooping) for s, cell in cells))
    return rows


async def _cell(net: Network, watcher: Watching, sleeper: Sleeper, cell: Cell, snooping: bool) -> dict[str, Any]:
    mode, resume, stale, version = cell
    net.cache(sleeper, stale)
    await watcher.sleep(sleeper)
    address = sleeper.four if version == 4 else sleeper.six
    host = f"[{address}]" if version == 6 else str(address)
    begun = time.monotonic()
    code, said = await net.run(
        "curl", "-sS", "-o", "/dev/null", "--connect-timeout", "30", "-w", " %{time_connect}", f"http://{host}:{PORT}/"
    )
    failed = round(time.monotonic() - begun, 3) if code else None
    return {
        "mode": mode.value, "resume_s": resume, "stale": stale, "ip": version, "snooping": snooping,
        "connect_s": None if code else round(float(said.split()[-1]), 3), "failed_after_s": failed,
        "error": said.strip()[:80] if code else None,
    }  # fmt: skip


def shown(rows: list[dict[str, Any]]) -> Table:
    """As FINDINGS' table: seconds to connect, the slowest of its cells; a failure is crossed."""
    table = Table("mode", "cache", "IP", *(f"resume {resume} s" for resume in RESUMES))
    for mode, stale, version in itertools.product(("sniff", "answer", "proxy"), (False, True), (4, 6)):
        line = []
        for resume in RESUMES:
            found = [
                r for r in rows if (r["mode"], r["stale"], r["ip"], r["resume_s"]) == (mode, stale, version, resume)
            ]
            failed = [r["failed_after_s"] for r in found if r["connect_s"] is None]
            line.append(f"failed at {max(failed)}" if failed else f"{max(r['connect_s'] for r in found):.2f}")
        table.add_row(mode, "stale" if stale else "empty", str(version), *line)
    return table
