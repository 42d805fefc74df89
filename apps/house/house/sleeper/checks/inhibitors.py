"""Does a program ask not to be disturbed, by systemd's inhibitor locks?"""

from __future__ import annotations

from dataclasses import dataclass, field

from house.sleeper.checks.base import Check
from house.sleeper.system import System


@dataclass
class Inhibitors(Check):
    """Busy while somebody blocks ``what``, as `systemd-inhibit --what=sleep make check` does."""

    what: list[str] = field(default_factory=lambda: ["sleep", "idle"])

    async def look(self, system: System) -> str | None:
        for lock in await system.required_logind().inhibitors():
            if lock.mode.startswith("block") and lock.what & set(self.what):
                return f"{lock.who} asks that it does not sleep: {lock.why}"
        return None
