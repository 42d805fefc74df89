"""Wake a machine, and try whether it could be woken."""

from __future__ import annotations

from house.errors import NotNow
from house.objects.wake import Wake
from house.states import State
from house.web.acts.fields import machine_of, the_machine
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Question, Tell


def _told(wake: Wake) -> str:
    """Raises NotNow for one that did not wake."""
    if wake.took_seconds is None:
        reason = f"it has not woken after {wake.tries} tries. Look whether it is plugged in, and its card armed"
        raise NotNow(wake.machine, reason)
    tries = "1 try" if wake.tries == 1 else f"{wake.tries} tries"
    return f"{wake.machine} is awake, after {wake.took_seconds:.1f} s and {tries}"


def _ask(scene: HouseScene) -> Question:
    machine = machine_of(scene)
    if machine.state is State.AWAKE:
        raise NotNow(machine.name, "it is awake")
    return Question(
        words=f"Its watcher sends {machine.name} a magic packet, and again until it is awake, for 20 s at most.",
        command=f"house wake {machine.name}",
        confirm="Wake it",
        fields=[the_machine(machine)],
        know=["Its network card was not armed when it fell asleep."] if machine.flag_armed is False else [],
    )


async def _wake(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name = machine_of(scene).name
    tell(_told(await visitor.do(lambda operator: operator.wake(name))))


def _ask_to_test(scene: HouseScene) -> Question:
    machine = machine_of(scene)
    asleep = machine.state is State.ASLEEP
    return Question(
        words=f"Its watcher sends {machine.name} a magic packet now, and looks whether it answers.",
        command=f"house test-wake {machine.name}",
        confirm="Test it",
        fields=[the_machine(machine)],
        know=["It sleeps, and wakes if all is well."]
        if asleep
        else ["It is not asleep: this shows the way, not the card."],
    )


async def _test(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name = machine_of(scene).name
    tell(_told(await visitor.do(lambda operator: operator.test_wake(name))))


WAKE = Act("wake", "Wake a machine", _ask, _wake)
TEST_WAKE = Act("test-wake", "Test a wake", _ask_to_test, _test)
