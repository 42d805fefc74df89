"""What came of a stream's packets: pure, from RTP's headers (RFC 3550) to what is lost, and how evenly others come."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

RATE = 48_000
"""Of the time stamps: one for each frame."""
HEADER = struct.Struct("!BBHII")
"""Version and flags, payload, number, time stamp, and who has made it (RFC 3550, 5.1)."""
_VERSION_2 = 0x80
_VERSION_BITS = 0xC0
_SMOOTHED = 16
"""By so much a single packet counts less than all before it (RFC 3550, 6.4.1)."""
PAUSE_SECONDS = 1.0
"""A packet that comes by so much later than the one before is the first after a pause: time stamps stood still."""
SOURCES = 8
"""Of a group so many senders are kept apart; of more, those are forgotten that were heard the longest ago."""
SENDER_SECONDS = 3.0
"""For so long it counts that somebody has sent."""
SHARE_SECONDS = 10.0
"""The share of lost packets is that of so many latest seconds."""


@dataclass
class _Source:
    """One sender, between its start and its end."""

    address: str
    began: float
    first: int
    highest: int
    """The highest number, which goes on where the 16 bits on the wire begin anew."""
    received: int
    heard: float
    transit: float
    jitter: float = 0.0

    @property
    def expected(self) -> int:
        return self.highest - self.first + 1


class Arrivals:
    """Of one group, which is heard ``since`` then. Times are seconds of one clock, whichever."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._sources: dict[int, _Source] = {}
        self._expected = self._received = 0
        """Of sources that are not among these any more."""
        self._marks = deque[tuple[float, int, int]]()
        """When so many packets were expected, and so many received."""
        self.began: float | None = None
        """When somebody began to send while or after somebody else did: whoever keeps to the first is deaf to him."""

    def take(self, header: bytes, address: str, at: float) -> None:
        """A packet that came from there, then. What is none of RTP is passed over."""
        if len(header) < HEADER.size or header[0] & _VERSION_BITS != _VERSION_2:
            return
        _, _, number, stamp, name = HEADER.unpack_from(header)
        source = self._sources.get(name)
        if source is None:
            self._begin(name, _Source(address, at, number, number, 1, at, at - stamp / RATE))
            return
        step = (number - source.highest) & 0xFFFF
        if step < 0x8000:  # else it is an earlier one that was overtaken
            source.highest += step
        source.received += 1
        transit = at - stamp / RATE
        if (later := abs(transit - source.transit)) < PAUSE_SECONDS:
            source.jitter += (later - source.jitter) / _SMOOTHED
        source.transit, source.heard, source.address = transit, at, address

    def _begin(self, name: int, source: _Source) -> None:
        if self._sources:
            self.began = source.heard
        if len(self._sources) >= SOURCES:
            self._forget(min(self._sources, key=lambda each: self._sources[each].heard))
        self._sources[name] = source

    def _forget(self, name: int) -> None:
        source = self._sources.pop(name)
        self._since = max(self._since, source.heard)
        self._expected += source.expected
        self._received += source.received

    def overflown(self) -> None:
        """Packets came, and were not taken: nobody can tell whose. All senders are as if they began now."""
        for name in list(self._sources):
            self._forget(name)

    # What comes of it.

    @property
    def lost(self) -> int:
        """Packets that were sent and did not come (RFC 3550, A.3)."""
        expected, received = self._counted()
        return max(0, expected - received)

    def _counted(self) -> tuple[int, int]:
        sources = self._sources.values()
        expected = self._expected + sum(source.expected for source in sources)
        return expected, self._received + sum(source.received for source in sources)

    def share_lost(self, now: float) -> float:
        """Of what was sent lately, what did not come: from 0 to 1. To be asked again and again."""
        expected, received = self._counted()
        self._marks.append((now, expected, received))
        while self._marks[0][0] < now - SHARE_SECONDS:
            self._marks.popleft()
        _, expected_then, received_then = self._marks[0]
        sent = expected - expected_then
        return max(0.0, 1 - (received - received_then) / sent) if sent else 0.0

    @property
    def jitter_ms(self) -> float | None:
        """How unevenly packets come, by the interarrival jitter of RFC 3550; None where none has come."""
        latest = max(self._sources.values(), key=lambda source: source.heard, default=None)
        return None if latest is None else latest.jitter * 1000

    def silent_for(self, now: float) -> float:
        """How many seconds ago the latest packet came; where none has come, since when that is so."""
        return now - max((source.heard for source in self._sources.values()), default=self._since)

    def senders(self, now: float) -> list[str]:
        """Who has sent lately, as often as it does so at once; one, where all is well."""
        return sorted(source.address for source in self._live(now))

    def is_alone(self, now: float) -> bool:
        """Whether somebody has sent for a while, and nobody else meanwhile."""
        live = self._live(now)
        return len(live) == 1 and live[0].began <= now - SENDER_SECONDS

    def _live(self, now: float) -> list[_Source]:
        """Those heard lately, and since the latest began: who begins anew is not heard by its former name any more."""
        lately = [source for source in self._sources.values() if source.heard > now - SENDER_SECONDS]
        latest = max((source.began for source in lately), default=now)
        return [source for source in lately if source.heard >= latest]
