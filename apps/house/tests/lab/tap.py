"""What goes over the wire at the watcher's card, by the kernel's own time stamps."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable

from house.lan import ethernet, ip
from tests.lab.netns import inside
from tests.lab.network import Network, Sleeper
from tests.lab.unit import PATIENCE

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

    async def asked(self, sleepers: Iterable[Sleeper]) -> None:
        """Wait until each of these machines is asked for; what passed before that is seen, too."""
        missing = [*sleepers]
        async with asyncio.timeout(PATIENCE):
            while missing:
                passed = [data for _, data in self.seen()]
                missing = [each for each in missing if not any(asks(each, data) for data in passed)]
                await asyncio.sleep(0.01)


def asks(sleeper: Sleeper, data: bytes) -> bool:
    """Whether a frame is for the machine, over IPv4."""
    frame = ethernet.decode(data)
    return frame.kind == ethernet.IPV4 and ip.decode_v4(frame.payload).destination == sleeper.four
