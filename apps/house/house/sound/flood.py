"""Packets that nobody here has asked for: a switch that does not look into multicast sends every stream to every host,
and so fills the air of a Wi-Fi behind it. To the kernel's counters, what the host's own firewall drops is the same."""

from __future__ import annotations

import time
from pathlib import Path

MANY = 100.0
"""Packets a second; a stream has 150."""
SHORTEST_SECONDS = 4.0
"""Over so long it is counted."""
_TAKEN = "InHdrErrors", "InAddrErrors", "ForwDatagrams", "InUnknownProtos", "InDiscards", "InDelivers"


class Flood:
    """On one host, by what the kernel counts of IPv4 (RFC 4293): what it got, and what became of that. A network card
    that passes on no groups but those that it was asked for hides a flood from it."""

    def __init__(self, host: str, file: Path = Path("/proc/net/snmp")) -> None:
        self._host, self._file = host, file
        self._before: tuple[float, int] | None = None
        self.trouble = ""
        """What was found, in words."""

    def look(self) -> None:
        """To be called every few seconds."""
        now = time.monotonic()
        if self._before is not None and now - self._before[0] < SHORTEST_SECONDS:
            return
        try:
            unclaimed = _unclaimed(self._file.read_text())
        except (OSError, ValueError, KeyError):
            return  # as in a container that has no such file
        if self._before is not None:
            rate = (unclaimed - self._before[1]) / (now - self._before[0])
            self.trouble = self._words(rate) if rate > MANY else ""
        self._before = now, unclaimed

    def _words(self, rate: float) -> str:
        return (
            f"{rate:.0f} packets a second reach {self._host} that nobody there has asked for: the switch seems to flood"
            " multicast, as one does without IGMP snooping or a querier (the engine snapcast sends none), or"
            f" {self._host}'s own firewall drops them"
        )


def _unclaimed(text: str) -> int:
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Ip:"))
    counted = dict(zip(names, map(int, values), strict=True))
    pieces = counted["ReasmReqds"] - counted["ReasmOKs"]
    """Of datagrams that came in several, all but one."""
    return counted["InReceives"] - pieces - sum(counted[name] for name in _TAKEN)
