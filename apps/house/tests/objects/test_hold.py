from datetime import datetime, timedelta

import pytest

from house.errors import NotFound, StaysAwake
from house.objects.away import Away
from house.objects.hold import Hold, HoldList
from house.objects.machine import Machine
from house.objects.rule import Rule
from midflight import Context, InvalidValue
from tests.jumping import JumpingClock

IDLE = ("nobody is logged in",)


async def test_a_hold_keeps_awake_until_it_ends(desk: Machine, context: Context, time: JumpingClock) -> None:
    """Its machine, or every one; the refusal says who, why, and until when."""
    hold = Hold(context=context, machine="desk", until=time.now() + timedelta(hours=2), reason="make check", who="ada")
    await hold.create()
    await Hold(context=context, until=time.now() + timedelta(hours=1), reason="a party", who="eve").create()
    await Hold(context=context, machine=None, until=time.now() + timedelta(hours=9), reason="", who="bob").create()
    await (await Hold.get(context, 3)).destroy()
    with pytest.raises(StaysAwake) as refused:
        await desk.ask_leave(IDLE)
    assert refused.value.reasons == (
        "ada holds it awake until 2026-03-02 15:00 UTC: make check",
        "eve holds it awake until 2026-03-02 14:00 UTC: a party",
    )
    assert datetime.fromisoformat(refused.value.until or "") == hold.until
    time.pass_(hours=2)
    assert await desk.ask_leave(IDLE) is None
    assert len(await HoldList.get_all(context)) == 0


async def test_a_hold_can_be_made_longer_and_let_go(desk: Machine, context: Context, time: JumpingClock) -> None:
    """As a command that runs for longer than it thought does."""
    hold = Hold(context=context, machine="desk", until=time.now() + timedelta(minutes=1), who="ada")
    await hold.create()
    hold.until = time.now() + timedelta(hours=1)
    await hold.save()
    time.pass_(minutes=30)
    assert [each.until for each in await HoldList.get_by_machine(context, "desk")] == [hold.until]
    assert len(await HoldList.get_by_machine(context, "nas")) == 0
    await hold.destroy()
    assert await desk.ask_leave(IDLE) is None
    with pytest.raises(NotFound, match="no hold '1'"):
        await hold.destroy()


async def test_a_hold_is_for_a_machine_and_a_time_to_come(desk: Machine, context: Context, time: JumpingClock) -> None:
    """Else it is refused, and says so."""
    with pytest.raises(NotFound, match="no machine 'desc'"):
        await Hold(context=context, machine="desc", until=time.now() + timedelta(hours=1)).create()
    with pytest.raises(InvalidValue, match="expected a time that is to come"):
        await Hold(context=context, machine="desk", until=time.now()).create()


async def test_a_rule_keeps_awake_and_plans_the_next_wake(desk: Machine, context: Context, time: JumpingClock) -> None:
    """In its own zone: within its hours nothing sleeps, and outside of them it is known when they begin."""
    await Rule(
        context=context, machine="desk", days=[0, 1], begins="08:00", ends="18:00", zone="Europe/Berlin", wakes=True
    ).create()
    with pytest.raises(StaysAwake, match="until 2026-03-02 17:00 UTC: Mon, Tue 08:00 to 18:00 Europe/Berlin"):
        await desk.ask_leave(IDLE)
    time.pass_(hours=4)
    planned = await desk.ask_leave(IDLE)
    assert planned == datetime.fromisoformat("2026-03-03T07:00:00+00:00")
    assert (await Machine.get(context, "desk")).planned_wake == planned


async def test_a_machine_does_not_sleep_just_before_it_is_needed(desk: Machine, time: JumpingClock) -> None:
    """By the time that its alarm would have to ring it might not sleep yet; one that is sent to sleep is told when it
    has to wake."""
    needed = time.now() + timedelta(seconds=179)
    with pytest.raises(StaysAwake, match="it is to be awake at 2026-03-02 13:02 UTC, as is planned") as refused:
        await desk.ask_leave(IDLE, needed)
    assert refused.value.until == needed.isoformat()
    assert await desk.ask_leave(IDLE, needed, forced=True) == needed
    await desk.stay(())
    assert await desk.ask_leave(IDLE, needed + timedelta(seconds=1)) is not None


async def test_while_nobody_is_at_home_no_rule_holds(desk: Machine, context: Context, time: JumpingClock) -> None:
    """A rule neither keeps awake nor wakes, a hold does; and when somebody is back it is as before."""
    await Rule(context=context, days=[0], begins="00:00", ends="23:00", wakes=True).create()
    await Away(context=context, until=time.now() + timedelta(days=10), who="ada").create()
    assert await desk.ask_leave(IDLE) == datetime.fromisoformat("2026-03-16T00:00:00+00:00")
    await desk.stay(())
    await Hold(context=context, until=time.now() + timedelta(hours=1), reason="backup", who="eve").create()
    with pytest.raises(StaysAwake, match="backup"):
        await desk.ask_leave(IDLE)
    await Away.end(context)
    assert await Away.get(context) is None
    with pytest.raises(StaysAwake, match="a rule holds it awake"):
        await desk.ask_leave(IDLE)


@pytest.mark.parametrize(
    ("begins", "ends", "at", "until"),
    [
        ("22:00", "02:00", "2026-03-02T23:00:00+00:00", "2026-03-03T02:00:00+00:00"),
        ("22:00", "02:00", "2026-03-03T01:59:59+00:00", "2026-03-03T02:00:00+00:00"),
        ("22:00", "02:00", "2026-03-03T02:00:00+00:00", None),
        ("22:00", "02:00", "2026-03-03T23:00:00+00:00", None),
        ("08:00", "08:00", "2026-03-03T07:00:00+00:00", "2026-03-03T08:00:00+00:00"),
    ],
)
def test_hours_may_cross_midnight(begins: str, ends: str, at: str, until: str | None) -> None:
    """They belong to the day on which they begin, here a Monday."""
    rule = Rule(days=[0], begins=begins, ends=ends)  # type: ignore[arg-type]
    expected = until and datetime.fromisoformat(until)
    assert rule.holds_until(datetime.fromisoformat(at)) == expected


async def test_a_rule_has_a_zone_and_days(context: Context) -> None:
    """Else it is refused, and says what it should be."""
    with pytest.raises(InvalidValue, match="received Mars/Olympus, expected a time zone like Europe/Berlin"):
        await Rule(context=context, days=[0], begins="08:00", ends="09:00", zone="Mars/Olympus").create()  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="at least one day"):
        await Rule(context=context, days=[], begins="08:00", ends="09:00").create()  # type: ignore[arg-type]
