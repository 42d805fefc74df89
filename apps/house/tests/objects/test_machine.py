import pytest

from house.errors import AddressTaken, AlreadyExists, NotFound, NotNow, StaysAwake
from house.objects.history import History
from house.objects.hold import Hold
from house.objects.machine import Machine, MachineList
from house.states import State
from midflight import Conflict, Context, InvalidValue
from tests.jumping import JumpingClock

IDLE = ("nobody is logged in",)


async def test_a_machine_is_kept_as_it_was_given(desk: Machine, context: Context) -> None:
    """All of its fields come back from the row, and what was left out has its default."""
    found = await Machine.get(context, "desk")
    assert [str(address) for address in found.addresses] == ["10.0.0.2", "fd00::2"]
    assert (found.mac, found.wake_ports, found.mode, found.watts) == ("52:54:00:00:00:01", [22], "proxy", 62)
    assert found.state is State.AWAKE
    with pytest.raises(NotFound, match="the house has no machine 'desc'. Did you mean \"desk\""):
        await Machine.get(context, "desc")


async def test_a_save_takes_what_changed_and_nothing_else(desk: Machine, context: Context) -> None:
    """Two who change different things do not undo each other, and a compare-and-swap sees the other."""
    other = await Machine.get(context, "desk")
    desk.wake_ports.append(80)
    other.ping_wakes = True
    await desk.save()
    await other.save()
    found = await Machine.get(context, "desk")
    assert (found.wake_ports, found.ping_wakes) == ([22, 80], True)
    found.watcher = "attic"
    with pytest.raises(Conflict, match="Machine.state is .*awake.*, not .*asleep"):
        await found.save(expect={"state": "asleep"})


async def test_two_machines_cannot_have_one_address(desk: Machine, context: Context) -> None:
    """Neither a new one nor one that is changed: the error names the address and its owner."""
    with pytest.raises(AlreadyExists, match="has a machine 'desk' already"):
        await Machine(context=context, name="desk", mac="52:54:00:00:00:02").create()
    twin = Machine(context=context, name="twin", mac="52:54:00:00:00:02", addresses=["fd00:0::2"])
    with pytest.raises(AddressTaken, match="twin cannot have fd00::2: it is desk's"):
        await twin.create()
    twin.addresses = ["10.0.0.3"]
    await twin.create()
    twin.mac = desk.mac
    with pytest.raises(AddressTaken, match="52:54:00:00:00:01: it is desk's"):
        await twin.save()


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "desk\n"), ("mac", "52:54:00"), ("addresses", ["10.0.0"]), ("wake_ports", [0]), ("vlan", 4095)],
)
def test_what_is_no_machine_is_refused(field: str, value: object) -> None:
    """A wrong name, MAC, address, port or VLAN is named before anything is kept."""
    with pytest.raises(InvalidValue, match=rf"^Machine\.{field}"):
        Machine(**{"name": "x", "mac": "52:54:00:00:00:02", field: value})  # type: ignore[arg-type]


async def test_a_watcher_guards_its_own_and_nobody_s(desk: Machine, context: Context) -> None:
    """Machines without a watcher are every watcher's."""
    await Machine(context=context, name="nas", mac="52:54:00:00:00:03", watcher="attic").create()
    names = [[m.name for m in await MachineList.get_by_watcher(context, host)] for host in ("attic", "cellar")]
    assert names == [["desk", "nas"], ["desk"]]


async def test_it_falls_asleep_and_wakes(desk: Machine, context: Context, time: JumpingClock) -> None:
    """The whole life: leave, asleep, awake; with since and because at each step, and the nap in its history."""
    assert await desk.ask_leave(IDLE) is None
    falling = await Machine.get(context, "desk")
    assert (falling.state, falling.since, falling.because) == (State.FALLING, time.now(), IDLE)
    await desk.fall_asleep("logind")
    await desk.fall_asleep("logind")
    time.pass_(hours=2)
    await desk.wake_up()
    await desk.wake_up()
    awake = await Machine.get(context, "desk")
    assert (awake.state, awake.last_wake, awake.because) == (State.AWAKE, time.now(), ())
    history = await History.of_machine(context, "desk", days=2)
    assert [day.asleep_seconds for day in history.days] == [0, 7200]
    assert history.saved_kwh == pytest.approx(0.120)


async def test_nobody_sleeps_without_leave(desk: Machine, context: Context) -> None:
    """One that was woken while it fell has no leave any more."""
    with pytest.raises(NotNow, match="desk: is awake, and has no leave to sleep"):
        await desk.fall_asleep("logind")
    await desk.ask_leave(IDLE)
    await desk.stay(("the watcher does not answer",))
    with pytest.raises(NotNow):
        await desk.fall_asleep("logind")
    assert (await Machine.get(context, "desk")).because == ("the watcher does not answer",)


async def test_a_machine_that_just_woke_stays_awake(desk: Machine, time: JumpingClock) -> None:
    """For its shortest time awake; a clock that was set back does not make that longer."""
    await desk.ask_leave(IDLE)
    await desk.fall_asleep("logind")
    time.pass_(hours=8)
    await desk.wake_up()
    time.pass_(seconds=299)
    with pytest.raises(StaysAwake, match="it woke 299 s ago, and is awake for 300 s at least") as refused:
        await desk.ask_leave(IDLE)
    assert refused.value.until == "2026-03-02T21:05:00+00:00"
    time.set(hours=3)
    assert await desk.ask_leave(IDLE) is None
    await desk.stay(())
    time.set(hours=-3)
    time.pass_(seconds=1)
    assert await desk.ask_leave(IDLE) is None


async def test_a_machine_without_an_agent_is_as_it_is_seen(context: Context, time: JumpingClock) -> None:
    """Its naps are counted all the same."""
    await Machine(context=context, name="tv", mac="52:54:00:00:00:09").create()
    await Machine.note_seen(context, "tv", True, time.now())
    await Machine.note_seen(context, "tv", False, time.now())
    await Machine.note_seen(context, "tv", False, time.now())
    time.pass_(minutes=10)
    assert (await Machine.get(context, "tv")).state is State.ASLEEP
    await Machine.note_seen(context, "tv", True, time.now())
    assert (await Machine.get(context, "tv")).state is State.AWAKE
    assert (await History.of_machine(context, "tv")).asleep_seconds == 600


async def test_who_is_forgotten_takes_its_holds_along(desk: Machine, context: Context, time: JumpingClock) -> None:
    """A later machine of that name is not held by them."""
    await Hold(context=context, machine="desk", until=time.now().replace(hour=23)).create()
    await desk.destroy()
    again = Machine(context=context, name="desk", mac="52:54:00:00:00:01")
    await again.create()
    assert await again.ask_leave(IDLE) is None


async def test_what_was_seen_and_is_told_late_changes_nothing(
    desk: Machine, context: Context, time: JumpingClock
) -> None:
    """A watcher may see that a machine answers no more, wake it, and be heard of both much later, in any order."""
    seen = time.now()
    time.pass_(minutes=1)
    await desk.ask_leave(IDLE)
    await desk.stay(())
    await Machine.note_seen(context, "desk", False, seen)
    assert (await Machine.get(context, "desk")).state is State.AWAKE
