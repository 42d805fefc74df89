"""Does one of these programs run?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from house.sleeper.checks.base import Check
from house.sleeper.system import System, Unclear

LENGTH = 15
"""The kernel keeps no more of a name: proc(5)."""


@dataclass
class Processes(Check):
    """Busy while a process has one of ``names``, which may have * and ? in them."""

    names: list[str] = field(default_factory=list)

    async def look(self, system: System) -> str | None:
        for running in read(system):
            if any(fnmatchcase(running, name[:LENGTH]) for name in self.names):
                return f"{running} runs"
        return None


def read(system: System) -> Iterator[str]:
    """The names of all processes."""
    found = False
    for path in (system.root / "proc").glob("[0-9]*/comm"):
        try:
            yield path.read_text().rstrip("\n")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        found = True
    if not found:
        raise Unclear("/proc shows no process")
