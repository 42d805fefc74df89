"""What goes on in a network and must wake nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from house.states import Mode
from tests.lab import noise
from tests.lab.network import Sleeper, network
from tests.lab.watching import watching

ROUNDS = 5
IGNORED = "02:00:00:00:00:66"
SCANNER = "02:00:00:00:09:%02x"


async def measure(folder: Path) -> dict[str, Any]:
    """``false_wakes`` among so many ``noise_events``; and that a request wakes each of the machines afterwards."""
    modes = Mode.SNIFF, Mode.ANSWER, Mode.PROXY
    sleepers = [Sleeper(number, mode=mode) for number, mode in enumerate(modes)]
    async with network(sleepers) as net, watching(net, folder, IGNORED) as watcher:
        for sleeper in sleepers:
            net.cache(sleeper, stale=False)
            await watcher.sleep(sleeper)
        made = await noise.make(net, sleepers, ignored=IGNORED, rounds=ROUNDS)
        events = made.events + await noise.scan_at_random(net, SCANNER % 1) + await noise.scan_slowly(net, SCANNER % 2)
        false = sum(sleeper.woken for sleeper in sleepers)
        await noise.want(net, watcher, sleepers)
        return {
            "noise_events": events,
            "false_wakes": false,
            "missed": len(sleepers) - (sum(sleeper.woken for sleeper in sleepers) - false),
        }
