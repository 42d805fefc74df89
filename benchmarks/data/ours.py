"""``python -m benchmarks.data.ours URL DUTY``: the sweeper as a conductor runs it, until all is proven. Prints JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

from benchmarks.data.table import flavor_moves
from midflight.conductor.latency import Latency
from midflight.conductor.sweeper import Sweeper
from midflight.db.engine import Database
from midflight.migrations import lease


async def migrate(url: str, duty: float) -> dict[str, float]:
    """How long the sweep took, and the whole with its proof, and how much memory there was at most."""
    database = await Database.open(url)
    await database.write(lease.set_pace, {"duty": duty})
    sweeper, begun, before = Sweeper(database, Latency()), time.monotonic(), time.process_time()
    swept = cpu = 0.0
    sizes: list[int] = []
    while True:
        result = await sweeper.chunk(flavor_moves)
        if result.held:
            sys.stderr.write(f"{result.held}\n")
        sizes.append(result.completed)
        if not swept and result.state != "sweeping":
            swept, cpu = time.monotonic() - begun, time.process_time() - before
        if not result.more:
            break
        await asyncio.sleep(result.wait)
    seconds = time.monotonic() - begun
    await database.close()
    if not result.proven:
        raise RuntimeError(f"not proven: {result.line}")
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"swept": swept, "cpu": cpu, "seconds": seconds, "megabytes": kilobytes / 1024, "largest": max(sizes)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(migrate(sys.argv[1], float(sys.argv[2])))))
