"""Does something go through its network cards?"""

from __future__ import annotations

from dataclasses import dataclass, field

from house.sleeper.checks.base import FIRST, Check, Counter
from house.sleeper.system import System, Unclear


@dataclass
class Network(Check):
    """Busy while its ``interfaces`` (all but the loopback, where none is named) moved ``bytes_per_second`` or more
    since the last look."""

    bytes_per_second: float = 50_000.0
    interfaces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counter = Counter()

    async def look(self, system: System) -> str | None:
        rate = self._counter.per_second(self._moved(read(system)), system.clock.boottime())
        if rate is None:
            return FIRST
        return f"its network moves {rate:.0f} bytes/s" if rate >= self.bytes_per_second else None

    def _moved(self, counted: dict[str, int]) -> int:
        if missing := set(self.interfaces) - counted.keys():
            raise Unclear(f"there is no interface {min(missing)}; there is {', '.join(sorted(counted))}")
        return sum(moved for name, moved in counted.items() if name in self.interfaces or not self.interfaces)


def read(system: System) -> dict[str, int]:
    """Interface → bytes that it has moved, both ways."""
    try:
        rows = [line.split(":", 1) for line in system.read("proc/net/dev").splitlines()[2:]]
        moved = {name.strip(): [int(word) for word in words.split()] for name, words in rows}
        return {name: numbers[0] + numbers[8] for name, numbers in moved.items() if name != "lo"}
    except (IndexError, ValueError):
        raise Unclear("/proc/net/dev has a line that is none") from None
