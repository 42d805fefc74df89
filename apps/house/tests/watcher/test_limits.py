"""What keeps a watcher from waking too much."""

from __future__ import annotations

import struct

from house.lan.mac import Mac
from house.watcher.limits import SCAN_LIMIT, SCAN_SECONDS, Census

WHO = Mac.parse("02:00:00:00:00:01")


def test_who_asks_for_few_hosts_scans_nothing() -> None:
    """Asking for the same ones again and again is no scan."""
    census = Census()
    for second in range(1000):
        census.note(WHO, second % SCAN_LIMIT, float(second))
    assert not census.scans(WHO, 1000)


def test_who_asks_for_many_hosts_scans() -> None:
    """In order or at random; a minute after the last one it is forgiven."""
    census = Census()
    for second in range(SCAN_LIMIT + 1):
        census.note(WHO, second, float(second))
    assert census.scans(WHO, SCAN_LIMIT)
    assert not census.scans(WHO, SCAN_LIMIT + SCAN_SECONDS)


def test_a_slow_round_of_the_hosts_is_no_scan() -> None:
    """A router asks for one after the other as well, in its own time."""
    census = Census()
    for n in range(50):
        census.note(WHO, n, n * 10.0)
        assert not census.scans(WHO, n * 10.0)


def test_a_flood_of_requesters_takes_no_memory() -> None:
    """Of many thousands, the latest are remembered."""
    census = Census()
    for n in range(10_000):
        census.note(Mac(struct.pack("!HI", 512, n)), n, 0.0)
    assert len(census._asked) == 1024
