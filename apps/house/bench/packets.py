"""How soon after a request the magic packet is on the wire, by the kernel's own time stamps."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path
from typing import Any

from house.lan import magic
from house.states import State
from tests.lab.network import Sleeper, network
from tests.lab.noise import send
from tests.lab.tap import Tap, asks
from tests.lab.watching import watching
from tests.lan import frames

ROUNDS, MACHINES = 10, 10


async def measure(folder: Path) -> dict[str, Any]:
    """``magic_p99_ms``. Each round has a watcher of its own, which has not woken these machines before."""
    took: list[float] = []
    wanted = 0
    sleepers = [Sleeper(number) for number in range(MACHINES)]
    async with network(sleepers) as net:
        tap = Tap(net)
        for number in range(ROUNDS):
            (state := folder / str(number)).mkdir()
            async with watching(net, state) as watcher:
                await watcher.sees(State.AWAKE, *sleepers)
                for sleeper in sleepers:
                    await watcher.sleep(sleeper)
                tap.seen()
                for sleeper in sleepers:
                    wanted += 1
                    send(net, [frames.syn(sleeper.four, 22)])
                    await asyncio.sleep(0.05)
                await watcher.sees(State.AWAKE, *sleepers)
            seen = tap.seen()
            took += [each for sleeper in sleepers if (each := _took(sleeper, seen)) is not None]
        tap.socket.close()
    return {
        "magic_p50_ms": round(statistics.median(took) * 1000, 3),
        "magic_p99_ms": round(statistics.quantiles(took, n=100)[98] * 1000, 3),
        "magic_wakes": wanted,
        "missed": wanted - sum(sleeper.woken for sleeper in sleepers),
    }


def _took(sleeper: Sleeper, seen: list[tuple[float, bytes]]) -> float | None:
    asked = [at for at, data in seen if asks(sleeper, data)]
    answered = [at for at, data in seen if magic.is_for(sleeper.mac, data)]
    return answered[0] - asked[0] if asked and answered else None
