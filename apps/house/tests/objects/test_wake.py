import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from house.kept import histories
from house.objects.history import MOST_DAYS, Day, History, summed
from house.objects.machine import Machine
from house.objects.requester import Requester, RequesterList
from house.objects.wake import Wake, WakeList
from house.states import Cause, State
from midflight import Context
from tests.jumping import NOON, JumpingClock


async def asleep(desk: Machine) -> None:
    await desk.ask_leave(("idle",))
    await desk.fall_asleep("logind")


async def test_a_wake_is_reported_as_often_as_it_takes(desk: Machine, context: Context, time: JumpingClock) -> None:
    """It is one row, brought up to date, and moves the machine to waking and to awake. A first report that comes after
    the last one takes nothing back."""
    await asleep(desk)
    time.pass_(hours=1)
    wake = Wake(context=context, machine="desk", requester_mac="52:54:00:00:00:aa", port=22, asked_at=time.now())
    for _ in range(2):
        await wake.report()
    assert (await Machine.get(context, "desk")).state is State.WAKING
    wake.awake_at, wake.tries = time.now() + timedelta(seconds=1.5), 2
    for _ in range(2):
        await wake.report()
    late = Wake(context=context, uuid=wake.uuid, machine="desk", asked_at=wake.asked_at)
    await late.report()
    (found,) = await WakeList.latest(context, "desk")
    assert (found.uuid, found.tries, found.took_seconds, found.port) == (wake.uuid, 2, 1.5, 22)
    machine = await Machine.get(context, "desk")
    assert (machine.state, machine.last_wake) == (State.AWAKE, wake.awake_at)
    assert (await History.of_machine(context, "desk")).asleep_seconds == 3601.5


async def test_a_machine_that_does_not_wake_sleeps_on(desk: Machine, context: Context, time: JumpingClock) -> None:
    """Its watcher gives up: it is asleep as before, for the same reason, and its nap goes on."""
    await asleep(desk)
    time.pass_(hours=1)
    wake = Wake(context=context, machine="desk", asked_at=time.now())
    await wake.report()
    time.pass_(seconds=20)
    await Machine.note_seen(context, "desk", False, time.now())
    wake.tries = 5
    await wake.report()
    machine = await Machine.get(context, "desk")
    assert (machine.state, machine.because) == (State.ASLEEP, ("idle",))
    time.pass_(hours=1)
    await desk.wake_up()
    assert (await History.of_machine(context, "desk")).asleep_seconds == 7220


async def test_a_late_report_moves_nothing(desk: Machine, context: Context, time: JumpingClock) -> None:
    """What a watcher tells of a wake before the machine slept again is kept, and the machine sleeps on."""
    early = time.now()
    time.pass_(hours=1)
    await asleep(desk)
    late = Wake(context=context, machine="desk", asked_at=early, awake_at=early + timedelta(seconds=2))
    await late.report()
    assert (await Machine.get(context, "desk")).state is State.ASLEEP
    await Wake(context=context, machine="gone", asked_at=early).report()
    assert [wake.machine for wake in await WakeList.latest(context)] == ["gone", "desk"]


async def test_a_history_counts_each_day(desk: Machine, context: Context, time: JumpingClock) -> None:
    """A nap over midnight is in both days, wakes are by cause, and a day without any is there too."""
    time.pass_(hours=9)
    await asleep(desk)
    time.pass_(hours=8)
    await desk.wake_up()
    time.pass_(minutes=1)
    await Wake(context=context, machine="desk", cause=Cause.DEMAND, asked_at=time.now()).report()
    history = await History.of_machine(context, "desk", days=3)
    assert [str(day.day) for day in history.days] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert [day.asleep_seconds / 3600 for day in history.days] == [0, 2, 6]
    assert [day.wakes for day in history.days] == [{}, {}, {"itself": 1, "demand": 1}]


def test_a_nap_that_ends_before_it_began_saves_nothing() -> None:
    """As the rows say after a clock was set back."""
    (day,) = summed([(NOON, NOON - timedelta(hours=1))], [], 60, NOON, 1)
    assert (day.asleep_seconds, day.saved_kwh) == (0, 0)


async def test_a_sleeper_s_nap_lasts_until_now(desk: Machine, context: Context, time: JumpingClock) -> None:
    """While it sleeps, its history grows."""
    await asleep(desk)
    time.pass_(minutes=30)
    assert (await History.of_machine(context, "desk", days=1)).asleep_seconds == 1800


async def test_a_history_has_ten_years_at_most_and_is_made_elsewhere(
    desk: Machine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for more, or for less than a day, does not hold the conductor up."""
    threads = []

    def noting(*given: Any) -> Iterator[Day]:
        threads.append(threading.current_thread())
        return summed(*given)

    monkeypatch.setattr(histories, "summed", noting)
    assert [len((await History.of_machine(context, "desk", n)).days) for n in (10**12, 0)] == [MOST_DAYS, 1]
    assert threads[0] is not threading.main_thread()
    assert len(await WakeList.latest(context, limit=10**12)) == 0


@pytest.mark.parametrize(("minutes", "cause"), [(-2, Cause.PLANNED), (3, Cause.PLANNED), (-30, Cause.ITSELF)])
async def test_a_machine_that_nobody_woke_woke_by_plan_or_by_itself(
    desk: Machine, context: Context, time: JumpingClock, minutes: float, cause: Cause
) -> None:
    """By plan, where it was near; saying so again is no second wake, nor is the word of an agent that it is awake as
    before."""
    planned = await desk.ask_leave(("idle",), time.now() + timedelta(hours=2))
    assert planned == time.now() + timedelta(hours=2)
    await desk.fall_asleep("logind")
    time.pass_(hours=2, minutes=minutes)
    for _ in range(2):
        await desk.wake_up()
    await Machine.note_seen(context, "desk", False, time.now())
    await desk.stay_awake((), True)
    (wake,) = await WakeList.latest(context)
    assert (wake.cause, wake.took_seconds, wake.tries) == (cause, 0, 0)


async def test_a_watcher_that_is_late_says_who_woke_it(desk: Machine, context: Context, time: JumpingClock) -> None:
    """The machine had said first that it is awake, and nothing more was known of that; earlier wakes stay."""
    for hours in (1, 2):
        await asleep(desk)
        time.pass_(hours=hours)
        await desk.wake_up()
        time.pass_(minutes=10)
    asked = time.now() - timedelta(minutes=10, seconds=2)
    await Wake(context=context, machine="desk", asked_at=asked, awake_at=time.now(), tries=1).report()
    assert [wake.cause for wake in await WakeList.latest(context)] == [Cause.DEMAND, Cause.ITSELF]


async def test_who_asks_can_be_ignored(desk: Machine, context: Context) -> None:
    """For one machine or for all, until somebody thinks otherwise."""
    rule = Requester(context=context, mac="52-54-00-00-00-AA", machine="desk", name="printer")
    await rule.create()
    rule.ignored = False
    await rule.save()
    (found,) = await RequesterList.get_all(context)
    assert (found.mac, found.machine, found.ignored) == ("52:54:00:00:00:aa", "desk", False)
    await rule.destroy()
    assert len(await RequesterList.get_all(context)) == 0


@pytest.mark.parametrize("asked", ["2026-03-02T23:59:59.999999+00:00", "2026-03-02T00:00:00+00:00"])
def test_a_wake_belongs_to_the_day_of_its_request(asked: str) -> None:
    """To the microsecond."""
    days = list(summed([], [(datetime.fromisoformat(asked), "demand")], 60, datetime(2026, 3, 3, tzinfo=UTC), 2))
    assert [day.wakes for day in days] == [{"demand": 1}, {}]
