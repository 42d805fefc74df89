"""A question of one's own."""

from __future__ import annotations

from dataclasses import dataclass

from house.sleeper.checks.base import Check
from house.sleeper.system import System, Unclear, output


@dataclass
class Command(Check):
    """Run ``command``: idle where it exits with 0, busy with 1, for what its first line says. With anything else, or
    after ``seconds``, it could not be found out."""

    command: list[str]
    seconds: float = 10.0

    async def look(self, system: System) -> str | None:
        code, written = await output(self.command, self.seconds)
        said = written.partition("\n")[0][:200] or f"{self.command[0]} exits with {code}"
        if code not in (0, 1):
            raise Unclear(f"{self.command[0]} has failed with {code}: {said}")
        return said if code else None
