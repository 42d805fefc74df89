"""Passes frames on between two interfaces. Those that go to the second one take a while, each another one, and do not
overtake each other."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections import deque

_ALL = 3
_SOL_PACKET, _VNET_HDR, _IGNORE_OUTGOING = 263, 15, 23
_LARGEST = 1 << 17
"""A frame may be a whole burst of TCP, which the kernel takes to pieces behind us: a head that goes along says so, and
which checksums are still to be computed."""


def opened(interface: str) -> socket.socket:
    """All frames that come by it."""
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    found.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
    found.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    found.bind((interface, 0))
    found.setblocking(False)
    return found


class Way:
    """From one interface to the other one; how long it takes, in seconds."""

    def __init__(self, begin: socket.socket, end: socket.socket, shortest: float, longest: float) -> None:
        self._begin, self._end, self._shortest, self._longest = begin, end, shortest, longest
        self._loop = asyncio.get_running_loop()
        self._waiting = deque[tuple[float, bytes]]()
        self._loop.add_reader(begin, self._take)

    def _take(self) -> None:
        frame = self._begin.recv(_LARGEST)
        if not self._longest:
            self._pass(frame)
            return
        due = self._loop.time() + random.uniform(self._shortest, self._longest)
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        self._waiting.append((due, frame))
        self._loop.call_at(due, self._give)

    def _give(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._loop.time() + 1e-4:
            self._pass(self._waiting.popleft()[1])

    def _pass(self, frame: bytes) -> None:
        try:
            self._end.send(frame)
        except OSError:
            pass  # as on a wire


async def main(here: str, there: str, shortest_ms: str, longest_ms: str) -> None:
    """For ever."""
    one, other = opened(here), opened(there)
    _ways = Way(one, other, float(shortest_ms) / 1000, float(longest_ms) / 1000), Way(other, one, 0, 0)
    sys.stdout.write("relays\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
