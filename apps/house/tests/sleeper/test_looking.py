import asyncio
from datetime import datetime

import pytest
import structlog

from house.sleeper import looking
from house.sleeper.checks.base import Check
from house.sleeper.looking import Looker, reasons
from house.sleeper.system import System, Unclear
from house.states import Finding
from tests.jumping import NOON
from tests.sleeper.machine import FakeMachine


class Says(Check):
    """What it is told to."""

    def __init__(self, answer: str | Exception | None, need: datetime | None = None) -> None:
        self.answer, self.need = answer, need

    async def look(self, system: System) -> str | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def next_need(self, system: System) -> datetime | None:
        return self.need


async def test_what_cannot_be_found_out_is_busy(machine: FakeMachine) -> None:
    """Each check is asked, whatever becomes of the others, and the reasons name who cannot tell since when."""
    checks = {
        "logins": Says(None),
        "load": Says("it computes"),
        "disk": Says(Unclear("/proc/diskstats: gone")),
        "own": Says(KeyError("x")),
    }
    looker = Looker(checks, machine.system, 600)
    found = await looker.look()
    assert [each.finding for each in found] == [Finding.IDLE, Finding.BUSY, Finding.UNKNOWN, Finding.UNKNOWN]
    machine.clock.pass_(minutes=1)
    assert reasons(await looker.look()) == (
        "it computes",
        "the check disk cannot tell since 2026-03-02 12:00 UTC: /proc/diskstats: gone",
        "the check own cannot tell since 2026-03-02 12:00 UTC: KeyError: 'x'",
    )


async def test_a_check_that_hangs_holds_nobody_up(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot tell, after the longest time that a check may take."""
    monkeypatch.setattr(looking, "LONGEST_SECONDS", 0.05)

    class Hangs(Says):
        async def look(self, system: System) -> str | None:
            await asyncio.get_running_loop().create_future()
            return None

    found = await Looker({"own": Hangs(None), "logins": Says(None)}, machine.system, 600).look()
    assert [(each.finding, each.why) for each in found] == [("unknown", "no answer for 0.05 s"), ("idle", "")]


async def test_a_check_that_cannot_tell_for_long_is_an_error_once(machine: FakeMachine) -> None:
    """After the seconds that were set, one line; when it can tell again, another."""
    check = Says(Unclear("no"))
    looker = Looker({"own": check}, machine.system, 120)
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            await looker.look()
            machine.clock.pass_(minutes=1)
        check.answer = None
        await looker.look()
    assert [(line["event"], line["log_level"], line.get("seconds")) for line in logs] == [
        ("sleeper.check_unclear", "error", 120),
        ("sleeper.check_clear_again", "info", None),
    ]


async def test_the_first_need_wakes(machine: FakeMachine) -> None:
    """Of all checks that know one."""
    checks = {"a": Says(None), "b": Says(None, NOON.replace(day=5)), "c": Says(None, NOON.replace(day=4))}
    assert await Looker(checks, machine.system, 600).next_need() == NOON.replace(day=4)
    assert await Looker({"a": Says(None)}, machine.system, 600).next_need() is None
