"""Who may ask for what."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from house.errors import NotYours
from house.objects.machine import Machine
from house.project import project
from house.states import State
from house.watcher.file import GuardFile
from house.watcher.service import Watcher
from house.watcher.watch import Watch
from midflight import Caller, Context, InvalidValue, types
from midflight.db.engine import Database
from midflight.objects.remote import remotables_of
from tests.jumping import NOON, JumpingClock

READS = {"get", "get_all", "get_by_machine", "get_by_watcher", "latest", "of_machine"}


def test_only_to_read_is_for_everyone() -> None:
    """Whatever else somebody may ask for names who that is."""
    objects = project.contract.registry.objects.values()
    assert {n for each in objects for n, spec in remotables_of(each).items() if spec.allow is None} == READS
    interfaces = project.contract.interfaces
    allowed = {f"{topic}.{n}": spec.allow for topic in interfaces for n, spec in interfaces[topic].endpoints.items()}
    agents, people = frozenset({"sleeper"}), frozenset({"guest", "operator"})
    assert allowed == {
        "watcher.claim": agents, "watcher.release": agents, "watcher.wake": people, "watcher.test_wake": people,
        "watcher.changed": people, "sleeper.sleep_now": people, "sleeper.look": people, "sleeper.changed": people,
        "sound.changed": people, "sound.hearings": people, "sound.sendings": people, "sound.sleeps": agents,
        "sound.test": people,
    }  # fmt: skip


MOVES: list[Callable[[Machine], Coroutine[Any, Any, Any]]] = [
    Machine.create,
    lambda machine: machine.ask_leave(("idle",), None, True),
    lambda machine: machine.fall_asleep("logind"),
    lambda machine: machine.stay(()),
    Machine.wake_up,
    lambda machine: machine.stay_awake((), None),
]


@pytest.mark.parametrize("move", MOVES)
async def test_an_agent_speaks_of_its_own_machine(
    move: Callable[[Machine], Coroutine[Any, Any, Any]], desk: Machine, database: Database
) -> None:
    """The word of another is refused, and nothing has happened."""
    other = Context(caller=Caller("sleeper", "nas", "alder", "m1", 0), database=database)
    with pytest.raises(NotYours, match=r"sleeper@nas \(alder\) is not the agent of desk"):
        await move(Machine(context=other, name="desk", mac="52:54:00:00:00:01"))
    own = Context(caller=Caller("sleeper", "desk", "alder", "m2", 0), database=database)
    before = await Machine.get(own, "desk")
    assert (before.state, before.since) == (desk.state, desk.since)
    await before.stay_awake(("a build runs",), True)
    after = await Machine.get(own, "desk")
    assert (after.because, after.flag_armed) == (("a build runs",), True)


@pytest.mark.parametrize(
    "ask", [lambda to, context, desk: to.claim(context, desk), lambda to, context, desk: to.release(context, desk.name)]
)
async def test_an_agent_has_its_own_machine_guarded(
    ask: Callable[[Watcher, Context, Machine], Coroutine[Any, Any, None]],
    desk: Machine,
    context: Context,
    tmp_path: Path,
) -> None:
    """A watcher neither claims the addresses of another for it, nor gives them back."""
    watch = Watch(JumpingClock(), GuardFile(tmp_path / "guards.json"))
    other = Context(caller=Caller("sleeper", "nas", "alder", "m1", 0))
    with pytest.raises(NotYours, match=r"sleeper@nas \(alder\) is not the agent of desk"):
        await ask(Watcher(watch, "box", lambda: context), other, desk)
    assert watch.guards == {}


GUEST = Caller("guest", "laptop", "alder", "g1", 0)
STANDS: dict[str, object] = {
    "state": State.ASLEEP, "since": NOON, "because": ("nobody",), "last_wake": NOON, "seen_at": NOON,
    "flag_armed": True, "planned_wake": NOON,
}  # fmt: skip


@pytest.mark.parametrize("name", STANDS)
async def test_people_do_not_say_how_a_machine_stands(name: str, desk: Machine, database: Database) -> None:
    """They say how it is guarded, and what it uses; neither a save nor a new machine says that one sleeps."""
    context = Context(caller=GUEST, database=database)
    found = await Machine.get(context, "desk")
    found.watts = 45
    await found.save()
    setattr(found, name, STANDS[name])
    with pytest.raises(InvalidValue, match=f"Machine.{name}.*for its agent and its watcher to say"):
        await found.save()
    new = Machine(context=context, name="nas", mac=types.MacAddress("52:54:00:00:00:02"))
    setattr(new, name, STANDS[name])
    with pytest.raises(InvalidValue, match=f"Machine.{name}"):
        await new.create()
    after = await Machine.get(context, "desk")
    assert (after.watts, getattr(after, name)) == (45, getattr(desk, name))
