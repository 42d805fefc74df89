import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from house.errors import NotClaimed, NotNow, StaysAwake
from house.objects.history import History
from house.objects.hold import Hold
from house.objects.look import Check as Found
from house.objects.machine import Machine
from house.objects.rule import Rule
from house.sleeper import alarm, falling
from house.sleeper.agent import Sleeper
from house.sleeper.flag import MAGIC
from house.sleeper.looking import Looker
from house.sleeper.service import assembled
from house.states import Finding, State
from midflight import ConfigError, Context, NotDelivered, Runtime
from midflight.db.engine import Database
from tests.jumping import JumpingClock
from tests.sleeper.house import Guard
from tests.sleeper.login1 import Login1
from tests.sleeper.machine import FakeMachine
from tests.sleeper.test_flag import Card

Assembled = Callable[..., AbstractAsyncContextManager[Sleeper]]
WAIT = 10


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def assemble(
    tmp_path: Path, time: JumpingClock, database: Database, guard: Guard, desk: Machine, bus: str
) -> Assembled:
    """An agent of the desk, or of another host, whose terminal pts/0 was last used an hour ago; entries of
    [app.sleeper] as keywords."""
    machine = FakeMachine(tmp_path / "machine", time)
    machine.login(("ada", "pts/0", 60))
    machine.write(alarm.PLACE, "")
    card = Card(MAGIC)

    @asynccontextmanager
    async def assemble(host: str = "desk", **entries: Any) -> AsyncIterator[Sleeper]:
        given = {"interface": "eth0", "checks": {"logins": {}}, **entries}
        runtime = Runtime(
            service="sleeper", host=host, state=tmp_path, settings={"sleeper": given}, sockets=(),
            new_context=lambda values: Context(values, database=database, messenger=guard),
            active_hosts=lambda topic: [], sleep=guard.asleep,
        )  # fmt: skip
        async with assembled(runtime, root=machine.root, clock=time, bus=bus, ask_card=card) as agent:
            yield agent

    return assemble


async def found(context: Context) -> Machine:
    return await Machine.get(context, "desk")


async def quiet(agent: Sleeper, time: JumpingClock) -> None:
    """Rounds until it is time to sleep, at the next one."""
    await agent.round()
    time.pass_(minutes=5)


async def suspend(login1: Login1, time: JumpingClock, **slept: float) -> None:
    """The machine sleeps as soon as nobody delays it, and wakes."""
    async with asyncio.timeout(WAIT):
        assert await login1.called.get() == "Suspend"
    await login1.prepare_for_sleep(True)
    await login1.until_locks(0)
    time.pass_(**slept)
    time.suspended_seconds += timedelta(**slept).total_seconds()
    await login1.prepare_for_sleep(False)


async def test_it_sleeps_in_the_right_order(
    assemble: Assembled, login1: Login1, guard: Guard, time: JumpingClock, context: Context
) -> None:
    """Leave, claim, asleep in the fleet and in the rows, and only then suspend; awake, it says so to all of them."""
    async with assemble() as agent:
        await quiet(agent, time)
        assert (await found(context)).because == ("it has been quiet for 0 of 300 s",)
        guard.told.clear()
        round_ = asyncio.create_task(agent.round())
        async with asyncio.timeout(WAIT):
            assert await login1.called.get() == "Suspend"
        login1.called.put_nowait("Suspend")
        sleeping = await found(context)
        assert (sleeping.state, sleeping.because) == (State.ASLEEP, ("nothing has needed it for 300 s",))
        assert guard.told == ["claim", "asleep"]
        await suspend(login1, time, hours=8)
        await round_
        assert guard.told == ["claim", "asleep", "awake", "release"]
        awake = await found(context)
        assert (awake.state, awake.last_wake) == (State.AWAKE, time.now())
        assert (await History.of_machine(context, "desk")).asleep_seconds == 8 * 3600


async def test_the_agent_of_sound_sleeps_too(
    assemble: Assembled, login1: Login1, guard: Guard, time: JumpingClock, context: Context
) -> None:
    """That of this machine is told before the machine sleeps, and after it has woken; where there is none, the machine
    sleeps and wakes all the same."""
    for has_sound, told in (
        (True, [("desk", True, "claim"), ("desk", False, "awake")]),
        (False, [("desk", True, "claim")]),
    ):
        guard.has_sound = has_sound
        guard.sound_told.clear()
        guard.told.clear()
        async with assemble() as agent:
            await quiet(agent, time)
            guard.told.clear()
            round_ = asyncio.create_task(agent.round())
            await suspend(login1, time, hours=8)
            await round_
        assert guard.sound_told == told
        assert guard.told == ["claim", "asleep", "awake", "release"]
        assert (await found(context)).state is State.AWAKE
        time.pass_(hours=1)


async def test_what_was_idle_before_it_slept_counts_no_more(
    assemble: Assembled, login1: Login1, time: JumpingClock, context: Context
) -> None:
    """Neither the hours of its sleep nor a clock that is set there and back put it to sleep again at once: it is quiet
    from its wake on, and awake for its shortest time."""
    async with assemble(quiet_seconds=60) as agent:
        await quiet(agent, time)
        round_ = asyncio.create_task(agent.round())
        await suspend(login1, time, hours=8)
        await round_
        for hours in (-5, 10, -5):
            time.set(hours=hours)
            await agent.round()
            assert "it has been quiet for" in (await found(context)).because[0]
            time.pass_(seconds=20)
        await agent.round()
        assert (await found(context)).because == ("it woke 60 s ago, and is awake for 300 s at least",)
        assert login1.called.empty()


async def test_no_acknowledgement_no_sleep(
    assemble: Assembled, login1: Login1, guard: Guard, time: JumpingClock, context: Context
) -> None:
    """Neither without a watcher, nor against its word, nor where the fleet would not know: it stays awake, says why,
    and is not asked for again at each look."""
    async with assemble() as agent:
        await quiet(agent, time)
        for refusal, reason in (
            (NotDelivered(what="watcher.claim", reason="nobody listened"), "no watcher has answered"),
            (NotClaimed("desk", "52:54:00:00:00:aa answers for 10.0.0.2"), "52:54:00:00:00:aa answers for 10.0.0.2"),
        ):
            guard.refuses = refusal
            await agent.round()
            machine = await found(context)
            assert machine.state is State.AWAKE
            assert reason in machine.because[0]
            guard.refuses = None
            await agent.round()
            assert guard.told.count("claim") == 0
            time.pass_(minutes=1)
        guard.deaf = True
        await agent.round()
        machine = await found(context)
        assert (machine.state, login1.called.qsize()) == (State.AWAKE, 0)
        assert "it could not sleep" in machine.because[0]
        assert guard.told[-2:] == ["claim", "release"]


async def test_who_is_held_awake_says_by_whom(
    assemble: Assembled, login1: Login1, guard: Guard, time: JumpingClock, context: Context
) -> None:
    """Until it is told that things have changed, it does not ask again; then it does at once."""
    async with assemble() as agent:
        await quiet(agent, time)
        hold = Hold(context=context, machine="desk", until=time.now() + timedelta(hours=9), reason="a party", who="eve")
        await hold.create()
        await agent.round()
        assert (await found(context)).because == ("eve holds it awake until 2026-03-02 22:05 UTC: a party",)
        await hold.destroy()
        await agent.round()
        assert guard.told.count("claim") == 0
        await agent.changed(context)
        round_ = asyncio.create_task(agent.round())
        await suspend(login1, time, hours=1)
        await round_


async def test_it_can_be_told_to_sleep(
    assemble: Assembled, login1: Login1, guard: Guard, time: JumpingClock, context: Context
) -> None:
    """Though somebody is at its terminal, and answered before it sleeps; a second word comes too late."""
    async with assemble(checks={"logins": {"idle_minutes": 90}}) as agent:
        await agent.round()
        assert (await found(context)).because == ("ada on pts/0 was here 60 min ago",)
        await agent.sleep_now(context, "ada goes to bed")
        with pytest.raises(NotNow, match="desk: is falling asleep already"):
            await agent.sleep_now(context, "twice")
        await agent.round()
        await suspend(login1, time, hours=8)
        async with asyncio.timeout(WAIT):
            while guard.told[-1] != "release":
                await asyncio.sleep(0.01)
        with pytest.raises(StaysAwake, match="it woke 0 s ago"):
            await agent.sleep_now(context, "again")


async def test_whoever_closes_the_lid_is_obeyed(
    assemble: Assembled, login1: Login1, guard: Guard, time: JumpingClock, context: Context
) -> None:
    """Whatever speaks against it, the watcher stands guard before the machine sleeps, and it counts as asleep."""
    await Hold(context=context, machine="desk", until=time.now() + timedelta(hours=9), reason="x", who="eve").create()
    async with assemble() as agent:
        await agent.round()
        await login1.until_locks(1)
        await login1.prepare_for_sleep(True)
        await login1.until_locks(0)
        machine = await found(context)
        assert (machine.state, machine.because) == (State.ASLEEP, ("somebody has sent it to sleep",))
        assert guard.told[-2:] == ["claim", "asleep"]
        time.pass_(hours=1)
        await login1.prepare_for_sleep(False)
        async with asyncio.timeout(WAIT):
            while guard.told[-1] != "release":
                await asyncio.sleep(0.01)
        assert (await found(context)).state is State.AWAKE


async def test_it_wakes_by_its_clock_for_what_is_planned(
    assemble: Assembled, login1: Login1, time: JumpingClock, context: Context, tmp_path: Path
) -> None:
    """The alarm is set for the rule that begins next, a little early, and taken back afterwards; a machine without an
    alarm does not sleep through it."""
    await Rule(context=context, days=[1], begins="06:00", ends="08:00", wakes=True).create()  # type: ignore[arg-type]
    place = tmp_path / "machine" / alarm.PLACE
    async with assemble() as agent:
        await quiet(agent, time)
        round_ = asyncio.create_task(agent.round())
        async with asyncio.timeout(WAIT):
            await login1.called.get()
        login1.called.put_nowait("Suspend")
        assert place.read_text() == f"+{17 * 3600 - 5 * 60 - 120}"
        await suspend(login1, time, hours=16)
        await round_
        assert place.read_text() == "0"
        place.unlink()
        place.parent.rmdir()
        time.pass_(days=1)
        await quiet(agent, time)
        await agent.round()
        assert "wakealarm: No such file" in (await found(context)).because[0]


async def test_a_card_that_would_not_wake_it_keeps_it_awake(
    assemble: Assembled, time: JumpingClock, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the configuration says that it need not: then its clock or its button will."""
    async with assemble(interface="lo") as agent:
        monkeypatch.setattr(Card, "__call__", lambda card, interface, request: bytes(18))
        await quiet(agent, time)
        await agent.round()
        machine = await found(context)
        assert (machine.because, machine.flag_armed) == (
            ("lo would not wake it: its card knows no magic packet",),
            False,
        )


async def test_a_house_that_is_deaf_at_first_hears_of_it_later(
    assemble: Assembled, guard: Guard, time: JumpingClock, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent makes its rounds, and says that it is awake when somebody hears it."""
    real, deaf = Machine.wake_up, [True]

    async def wake_up(machine: Machine) -> None:
        if deaf:
            raise NotDelivered(what="conductor.run", reason="nobody listened")
        await real(machine)

    monkeypatch.setattr(Machine, "wake_up", wake_up)
    async with assemble() as agent:
        await agent.round()
        assert guard.told == []
        deaf.clear()
        await agent.round()
        await agent.round()
        assert guard.told == ["release"]


async def test_its_own_word_counts_more_than_what_is_seen_of_it(
    assemble: Assembled, time: JumpingClock, context: Context
) -> None:
    """A watcher that cannot see it takes it for asleep; the next time that it says how it is, it is awake."""
    async with assemble(checks={"logins": {"idle_minutes": 90}}) as agent:
        await agent.round()
        await Machine.note_seen(context, "desk", False, time.now())
        assert (await found(context)).state is State.ASLEEP
        time.pass_(minutes=5)
        await agent.round()
        assert (await found(context)).state is State.AWAKE


async def test_a_look_says_what_keeps_it_awake_and_when_it_sleeps(assemble: Assembled, time: JumpingClock) -> None:
    """For people who ask, with what each check has found."""
    context = Context({})
    async with assemble() as agent:
        await agent.round()
        time.pass_(minutes=1)
        look = await agent.look(context)
        assert [(check.name, check.finding) for check in look.checks] == [("logins", Finding.IDLE)]
        assert (look.idle_since, look.sleeps_at) == (
            time.now() - timedelta(minutes=1),
            time.now() + timedelta(minutes=4),
        )


async def test_whoever_looks_changes_nothing(
    assemble: Assembled, time: JumpingClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many do: what the last round has found is told, and the checks are asked again where that is older than a
    round, once for all of them. What they find then does not count for when it sleeps."""
    context, looks, real = Context({}), [], Looker.look

    async def look(looker: Looker) -> list[Found]:
        looks.append(time.now())
        await asyncio.sleep(0)
        return await real(looker)

    monkeypatch.setattr(Looker, "look", look)
    machine = FakeMachine(tmp_path / "machine", time)
    async with assemble() as agent:
        await agent.round()
        quiet_since = time.now()
        time.pass_(seconds=29)
        told = await asyncio.gather(*(agent.look(context) for _ in range(5)))
        assert [(each.at, each.idle_since) for each in told] == [(quiet_since, quiet_since)] * 5
        assert len(looks) == 1
        time.pass_(seconds=1)
        machine.use("pts/0", 0)
        told = await asyncio.gather(*(agent.look(context) for _ in range(5)))
        assert [each.because for each in told] == [("ada on pts/0 was here 0 min ago",)] * 5
        assert (len(looks), told[0].idle_since) == (2, None)
        machine.use("pts/0", 60)
        time.pass_(seconds=30)
        assert (await agent.look(context)).idle_since == quiet_since


async def test_a_round_that_is_under_way_does_not_undo_a_sleep(
    assemble: Assembled, login1: Login1, time: JumpingClock, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checks take their time, and meanwhile somebody sends the machine to sleep: it is not awake by what they find
    then."""
    looks, go_on, real = asyncio.Event(), asyncio.Event(), Looker.look

    async def look(looker: Looker) -> list[Found]:
        found = await real(looker)
        looks.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(Looker, "look", look)
    async with assemble(checks={"logins": {"idle_minutes": 90}}) as agent, asyncio.timeout(WAIT):
        round_ = asyncio.create_task(agent.round())
        await looks.wait()
        await agent.sleep_now(context, "ada goes to bed")
        go_on.set()
        await round_
        assert await login1.called.get() == "Suspend"
        login1.called.put_nowait("Suspend")
        asleep = await found(context)
        assert (asleep.state, asleep.because) == (State.ASLEEP, ("ada goes to bed",))
        await suspend(login1, time, hours=8)
        while (await found(context)).state is not State.AWAKE:
            await asyncio.sleep(0.01)


async def test_who_is_not_heard_says_it_again(
    assemble: Assembled, guard: Guard, time: JumpingClock, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher that does not answer is told in the next round that nobody need be guarded; and where the conductor
    does not hear that the machine stays awake, its watcher is told all the same."""
    async with assemble() as agent:
        guard.refuses = NotDelivered(what="watcher.release", reason="nobody listened")
        await agent.round()
        guard.refuses = None
        await agent.round()
        assert guard.told == ["release"]
        time.pass_(minutes=5)

        async def unheard(machine: Machine, because: tuple[str, ...]) -> None:
            raise NotDelivered(what="conductor.run", reason="nobody listened")

        monkeypatch.setattr(Machine, "stay", unheard)
        guard.deaf = True
        await agent.round()
        assert guard.told == ["release", "claim", "release"]


async def test_a_new_machine_says_who_it_is(
    assemble: Assembled, time: JumpingClock, context: Context, tmp_path: Path
) -> None:
    """Its MAC and its addresses, from the kernel; one that cannot stays out, and says why, round by round."""
    async with assemble("new", interface="lo", wake_on_lan=False) as agent:
        await agent.round()
        with pytest.raises(Exception, match="no machine 'new'"):
            await Machine.get(context, "new")
        FakeMachine(tmp_path / "machine", time).write("sys/class/net/lo/address", "52:54:00:00:00:77\n")
        await agent.round()
        machine = await Machine.get(context, "new")
        assert (machine.mac, machine.state) == ("52:54:00:00:00:77", State.AWAKE)


async def test_a_method_that_needs_logind_needs_one(assemble: Assembled) -> None:
    """It is refused at the start, with what would do."""
    with pytest.raises(ConfigError, match=r"\[app.sleeper\] method: received 'hibernate' with logind = false"):
        async with assemble(method="hibernate", logind=False):
            pass


def test_the_watcher_is_given_time_to_ask_the_network() -> None:
    """Address conflict detection takes up to 7 s: RFC 5227, PROBE_WAIT to ANNOUNCE_WAIT."""
    assert falling.CALL_SECONDS > 7
