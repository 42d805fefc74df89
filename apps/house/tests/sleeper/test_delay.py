import asyncio
from collections.abc import AsyncIterator

import pytest

from house.clock import SystemClock
from house.sleeper import delay as delays
from house.sleeper.delay import Delay
from house.sleeper.logind import Logind, LogindFailed
from house.sleeper.methods import base
from house.sleeper.methods import logind as by_logind
from house.sleeper.methods.base import SleepFailed
from house.sleeper.methods.command import ByCommand
from house.sleeper.methods.logind import ByLogind
from tests.jumping import JumpingClock
from tests.sleeper.login1 import Login1

OURS = ["sleep", "house", delays.WHY, "delay"]


class Around:
    """What is done around a sleep that is not ours."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.hangs = False

    async def before(self) -> None:
        self.done.append("before")
        if self.hangs:
            await asyncio.get_running_loop().create_future()

    async def after(self) -> None:
        self.done.append("after")


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
async def delay(logind: Logind, around: Around) -> AsyncIterator[Delay]:
    delay = Delay(logind, around.before, around.after)
    running = asyncio.create_task(delay.run())
    await delay.hold()
    yield delay
    running.cancel()
    delay.let_go()


@pytest.mark.parametrize(("name", "verb"), [("logind", "Suspend"), ("hibernate", "Hibernate")])
async def test_it_sleeps_under_a_delay_lock(
    name: str, verb: str, delay: Delay, logind: Logind, login1: Login1, around: Around
) -> None:
    """The lock is held until sleep begins, and held again when it is over; only then the method returns."""
    method = ByLogind(name, logind, delay)
    await method.check()
    assert await login1.locks() == [OURS]
    sleeping = asyncio.create_task(method.sleep())
    assert await login1.called.get() == verb
    assert await login1.locks() == [OURS]
    await login1.prepare_for_sleep(True)
    await login1.until_locks(0)
    assert not sleeping.done()
    await login1.prepare_for_sleep(False)
    await sleeping
    assert (await login1.locks(), around.done) == ([OURS], [])


async def test_the_lock_is_held_from_the_start(
    logind: Logind, login1: Login1, around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends it to sleep first finds it; one that was lost is taken again, and none while the machine sleeps."""
    monkeypatch.setattr(delays, "HOLD_SECONDS", 0.05)
    delay = Delay(logind, around.before, around.after)
    running = asyncio.create_task(delay.run())
    await login1.until_locks(1)
    delay.let_go()
    await login1.until_locks(1)
    await login1.prepare_for_sleep(True)
    await login1.until_locks(0)
    await asyncio.sleep(0.2)
    assert (await login1.locks(), around.done) == ([], ["before"])
    running.cancel()


async def test_whoever_closes_the_lid_waits_for_us(delay: Delay, login1: Login1, around: Around) -> None:
    """Before a sleep that is not ours the house is told, then the lock is let go; afterwards it is told again."""
    await login1.prepare_for_sleep(True)
    await login1.until_locks(0)
    assert around.done == ["before"]
    await login1.prepare_for_sleep(False)
    await login1.until_locks(1)
    async with asyncio.timeout(10):
        while around.done != ["before", "after"]:
            await asyncio.sleep(0.01)


async def test_a_silent_house_does_not_keep_the_lid_open(
    delay: Delay, login1: Login1, around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is let go in time, whatever comes of it."""
    monkeypatch.setattr(delays, "GIVEN_SECONDS", 0.1)
    around.hangs = True
    await login1.prepare_for_sleep(True)
    await login1.until_locks(0)
    assert around.done == ["before"]


async def test_a_sleep_that_does_not_begin_has_failed(
    delay: Delay, logind: Logind, login1: Login1, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is awake, with its lock, and says so."""
    monkeypatch.setattr(by_logind, "BEGIN_SECONDS", 0.1)
    with pytest.raises(LogindFailed, match="logind: sleep: it has not begun after 0.1 s"):
        await ByLogind("logind", logind, delay).sleep()
    assert await login1.locks() == [OURS]


async def test_a_machine_that_stays_on_has_not_been_powered_off(
    delay: Delay, logind: Logind, login1: Login1, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would be left of this process if it had; so it says so, after a while."""
    monkeypatch.setattr(by_logind, "OFF_SECONDS", 0.1)
    with pytest.raises(SleepFailed, match="it is on still, 0.1 s after logind was told to power it off"):
        await ByLogind("power-off", logind, delay).sleep()
    assert await login1.called.get() == "PowerOff"


@pytest.mark.parametrize("said", ["no", "na", "challenge"])
async def test_what_logind_does_not_allow_is_known_before(
    said: str, delay: Delay, logind: Logind, login1: Login1
) -> None:
    """Whether it may not, or the machine cannot, or a password would be asked for."""
    await login1.mock("AddMethod", "sssss", "org.freedesktop.login1.Manager", "CanSuspend", "", "s", f"ret = {said!r}")
    with pytest.raises(SleepFailed, match=f"logind says '{said}' to Suspend"):
        await ByLogind("logind", logind, delay).check()


async def test_what_logind_refuses_is_told(delay: Delay, logind: Logind, login1: Login1) -> None:
    """In its own words."""
    refusal = (
        'raise dbus.exceptions.DBusException("a lock is held", name="org.freedesktop.login1.BlockedByInhibitorLock")'
    )
    await login1.mock("AddMethod", "sssss", "org.freedesktop.login1.Manager", "Suspend", "b", "", refusal)
    with pytest.raises(LogindFailed, match="logind: Suspend: .*BlockedByInhibitorLock: a lock is held"):
        await ByLogind("logind", logind, delay).sleep()


async def test_a_command_has_slept_when_the_clocks_say_so() -> None:
    """It may end before the machine sleeps: the time that it was suspended for tells that it has."""
    clock = JumpingClock()
    method = ByCommand("systemctl", ["true"], clock)
    await method.check()
    sleeping = asyncio.create_task(method.sleep())
    await asyncio.sleep(0.3)
    assert not sleeping.done()
    clock.suspended_seconds += 3600
    async with asyncio.timeout(10):
        await sleeping


async def test_a_command_that_does_not_put_it_to_sleep_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there, one that fails, and one that does nothing, on the real clocks of an awake machine."""
    monkeypatch.setattr(base, "BEGIN_SECONDS", 0.3)
    clock = SystemClock()
    with pytest.raises(SleepFailed, match="there is no command /nowhere/zzz"):
        await ByCommand("command", ["/nowhere/zzz"], clock).check()
    with pytest.raises(SleepFailed, match="there is no command \\(it is empty\\)"):
        await ByCommand("command", [], clock).check()
    with pytest.raises(SleepFailed, match="sh has failed with 3: no swap"):
        await ByCommand("command", ["sh", "-c", "echo no swap; exit 3"], clock).sleep()
    with pytest.raises(SleepFailed, match="it has not slept 0.3 s later"):
        await ByCommand("command", ["true"], clock).sleep()
