"""Have a machine sleep now."""

from __future__ import annotations

from house.errors import NotNow
from house.states import State
from house.web.acts.fields import machine_of, the_machine
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Field, Question, Tell


def _ask(scene: HouseScene) -> Question:
    machine = machine_of(scene)
    if machine.state not in (State.AWAKE, State.UNKNOWN):
        raise NotNow(machine.name, f"it is {machine.state.value}")
    holds = scene.house.holds_of(machine.name)
    return Question(
        words=f"{machine.name} sleeps though its checks may find it busy, when its watcher stands guard.",
        command=f"house sleep {machine.name}",
        confirm="Let it sleep",
        fields=[the_machine(machine), Field("reason", "Why", scene.fields.get("reason", "somebody said so"))],
        know=[f"{hold.who} holds it awake: {hold.reason}. The hold wins." for hold in holds],
    )


async def _sleep(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    name, reason = machine_of(scene).name, scene.field("reason")
    await visitor.do(lambda operator: operator.sleep(name, reason))
    tell(f"{name} falls asleep; its watcher stands guard")


SLEEP = Act("sleep", "Let a machine sleep", _ask, _sleep)
