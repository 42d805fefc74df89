"""All checks of a machine, asked at once. What cannot be found out counts as busy, and does not stay a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

import structlog

from house.errors import HouseError
from house.objects.look import Check as Found
from house.sleeper.checks.base import Check
from house.sleeper.system import System
from house.states import Finding

LONGEST_SECONDS = 30.0
"""No check takes longer. It holds nobody up, but a check that hangs is as one that fails."""
log = structlog.get_logger("house")


class Looker:
    """Asks the checks, and remembers since when each has found what it finds. After ``unclear_seconds`` of a check that
    cannot tell, that is logged as an error, once."""

    def __init__(self, checks: Mapping[str, Check], system: System, unclear_seconds: float) -> None:
        self.checks, self._system, self._unclear_seconds = checks, system, unclear_seconds
        self._last: dict[str, Found] = {}
        self._unclear_from: dict[str, float] = {}
        self._told: set[str] = set()

    async def look(self) -> list[Found]:
        """What each check finds, in the order of the configuration."""
        found = await asyncio.gather(*(self._ask(name, check) for name, check in self.checks.items()))
        for each in found:
            self._watch(each)
        return list(found)

    async def next_need(self) -> datetime | None:
        """When the first check says that the machine must be awake again. One that cannot tell is passed over: it has
        just kept the machine awake."""
        asked = (check.next_need(self._system) for check in self.checks.values())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return min((answer for answer in answers if isinstance(answer, datetime)), default=None)

    async def _ask(self, name: str, check: Check) -> Found:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                busy = await check.look(self._system)
        except TimeoutError:
            return self._found(name, Finding.UNKNOWN, f"no answer for {LONGEST_SECONDS:g} s")
        except HouseError as unclear:
            return self._found(name, Finding.UNKNOWN, str(unclear))
        except Exception as wrong:  # noqa: BLE001  # a check may fail in any way, and the machine stays awake
            return self._found(name, Finding.UNKNOWN, f"{type(wrong).__name__}: {wrong}")
        return self._found(name, Finding.IDLE if busy is None else Finding.BUSY, busy or "")

    def _found(self, name: str, finding: Finding, why: str) -> Found:
        last = self._last.get(name)
        since = last.since if last is not None and last.finding is finding else self._system.clock.now()
        self._last[name] = Found(name=name, finding=finding, why=why, since=since)
        return self._last[name]

    def _watch(self, found: Found) -> None:
        if found.finding is not Finding.UNKNOWN:
            if found.name in self._told:
                log.info("sleeper.check_clear_again", check=found.name)
            self._told.discard(found.name)
            self._unclear_from.pop(found.name, None)
            return
        now = self._system.clock.boottime()
        seconds = now - self._unclear_from.setdefault(found.name, now)
        if seconds >= self._unclear_seconds and found.name not in self._told:
            self._told.add(found.name)
            log.error("sleeper.check_unclear", check=found.name, reason=found.why, seconds=round(seconds))


def reasons(found: list[Found]) -> tuple[str, ...]:
    """Why a machine is awake, in words: what is busy first, then what cannot tell."""
    busy = [each.why for each in found if each.finding is Finding.BUSY]
    unclear = [
        f"the check {each.name} cannot tell since {each.since:%Y-%m-%d %H:%M} UTC: {each.why}"
        for each in found
        if each.finding is Finding.UNKNOWN
    ]
    return (*busy, *unclear)
