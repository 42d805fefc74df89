"""How soon after a request the magic packet is on the wire, by the kernel's own time stamps."""

from __future__ import annotations

import asyncio
import socket
import statistics
import struct
from pathlib import Path
from typing import Any

from house.lan import ethernet, ip, magic
from house.states import State
from tests.lab.netns import inside
from tests.lab.network import Network, Sleeper, network
from tests.lab.noise import send
from tests.lab.watching import watching
from tests.lan import frames

ROUNDS, MACHINES = 10, 10
_ALL, _TIMESTAMPNS = 0x0003, 35


class Tap:
    """Sees each frame at the watcher's card, in both directions."""

    def __init__(self, net: Network) -> None:
        with inside(net.watcher):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.socket.bind(("eth0", _ALL))
        self.socket.setblocking(False)

    def seen(self) -> list[tuple[float, bytes]]:
        """What has passed since: each with its time in seconds."""
        found = []
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return found
            (_, _, stamp), *_ = extra
            seconds, nanoseconds = struct.unpack("qq", stamp)
            found.append((seconds + nanoseconds / 1e9, data))


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
    asked = [at for at, data in seen if _asks(sleeper, data)]
    answered = [at for at, data in seen if magic.is_for(sleeper.mac, data)]
    return answered[0] - asked[0] if asked and answered else None


def _asks(sleeper: Sleeper, data: bytes) -> bool:
    frame = ethernet.decode(data)
    return frame.kind == ethernet.IPV4 and ip.decode_v4(frame.payload).destination == sleeper.four
