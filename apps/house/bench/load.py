"""What the watcher costs as a service of the house, with the framework in it, while a thousand ARP requests a second
ask for others."""

from __future__ import annotations

import asyncio
import os
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from house.lan.mac import Mac
from house.project import project
from house.states import Mode, State
from midflight.db.schema.runner import SchemaRunner
from tests.lab.house import house
from tests.lab.network import Network, Sleeper, network
from tests.lab.noise import open_wire
from tests.lan import frames

PER_SECOND, SECONDS, BATCH = 1000, 20.0, 20
_TICKS = os.sysconf("SC_CLK_TCK")


async def measure(folder: Path) -> dict[str, Any]:
    """``watcher_cpu_share`` of one core, and ``watcher_rss_mb``. One machine is in sniff mode: then all are counted."""
    sleepers = [Sleeper(0), Sleeper(1, mode=Mode.SNIFF)]
    empty = folder / "empty.db"
    SchemaRunner(f"sqlite:///{empty}", project.schema, project.tables, "this release").expand(project.migrations)
    (folder / "house").mkdir()
    async with network(sleepers) as net, house(net, folder / "house", empty) as home:
        for sleeper in sleepers:
            sleeper.suspend()
        await home.start()
        await home.stands(State.ASLEEP, *sleepers)
        await asyncio.sleep(3)
        pid = home.watcher.pid
        idle = await _share(pid, asyncio.sleep(SECONDS / 2))
        before = await _received(net)
        loaded = await _share(pid, _flood(net))
        arp_per_second = (await _received(net) - before) / SECONDS
        woken = sum(sleeper.woken for sleeper in sleepers)
        return {
            "watcher_cpu_share": round(loaded, 4), "watcher_idle_cpu_share": round(idle, 4),
            "watcher_rss_mb": round(_rss(pid), 1), "false_wakes_in_flood": woken,
            "arp_per_second": round(arp_per_second),
        }  # fmt: skip


async def _received(net: Network) -> int:
    """Frames that have come to the watcher's card."""
    _, said = await net.run("cat", "/sys/class/net/eth0/statistics/rx_packets", namespace=net.watcher)
    return int(said)


async def _share(pid: int, while_: Any) -> float:
    begun, cpu = time.monotonic(), _cpu(pid)
    await while_
    return (_cpu(pid) - cpu) / (time.monotonic() - begun)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def _flood(net: Network) -> None:
    """At an even pace, from fifty requesters, who ask for four hosts each."""
    asked = [
        frames.question(IPv4Address("198.18.4.0") + n % 4, mac=Mac((2, 0, 0, 0, 8, n % 50))).encode()
        for n in range(200)
    ]
    begun, sent = time.monotonic(), 0
    with open_wire(net) as wire:
        while (passed := time.monotonic() - begun) < SECONDS:
            while sent < passed * PER_SECOND:
                wire.send(asked[sent % len(asked)])
                sent += 1
            await asyncio.sleep(BATCH / PER_SECOND)
