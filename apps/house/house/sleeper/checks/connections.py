"""Does somebody use a service of this machine? By its TCP connections, and the bytes that they move."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from house.sleeper.checks.base import Check, Counter
from house.sleeper.system import System, Unclear, output

SS = ["ss", "-H", "-t", "-n", "-i", "-O", "state", "established"]
LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class Connection:
    """One established connection: both ends as ``address:port``, and the bytes that it has moved, both ways."""

    here: str
    there: str
    moved: int

    @property
    def port(self) -> int:
        return int(self.here.rpartition(":")[2])


@dataclass
class Connections(Check):
    """Busy while an established connection to one of ``ports`` is new, or moved ``bytes_per_second`` or more since the
    last look; with ``open_is_busy``, while there is any. A shell without a terminal shows here and in no list of
    logins."""

    ports: list[int] = field(default_factory=lambda: [22])
    bytes_per_second: float = 50.0
    open_is_busy: bool = False

    def __post_init__(self) -> None:
        self._counters: dict[tuple[str, str], Counter] = {}

    async def look(self, system: System) -> str | None:
        code, written = await output(SS, LOOK_SECONDS)
        if code:
            raise Unclear(f"ss has failed with {code}: {written[:200]}")
        found = [each for each in parsed(written) if each.port in self.ports]
        before, seconds = self._counters, system.clock.boottime()
        self._counters = {(each.here, each.there): before.get((each.here, each.there), Counter()) for each in found}
        busy = [why for each in found if (why := self._why(each, seconds))]
        return busy[0] if busy else None

    def _why(self, connection: Connection, seconds: float) -> str | None:
        rate = self._counters[connection.here, connection.there].per_second(connection.moved, seconds)
        name = f"{connection.there} is connected to port {connection.port}"
        if rate is None:
            return f"{name} since a moment ago"
        if rate >= self.bytes_per_second:
            return f"{name} and moves {rate:.0f} bytes/s"
        return name if self.open_is_busy else None


def parsed(written: str) -> Iterator[Connection]:
    """What ss wrote, one connection in each line. Raises Unclear for a line that is none."""
    for line in written.splitlines():
        words = line.split()
        if len(words) < 4 or not re.search(r":\d+$", words[2]):
            raise Unclear(f"ss wrote {line[:100]!r}, expected a connection")
        moved = re.findall(r"\bbytes_(?:sent|received):(\d+)", line)
        yield Connection(words[2], words[3], sum(map(int, moved)))
