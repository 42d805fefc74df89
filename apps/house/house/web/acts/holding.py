"""Keep a machine awake until then, and let it go."""

from __future__ import annotations

from house.errors import NotFound
from house.objects.hold import Hold
from house.web.acts.fields import at, some_machine, some_machine_of, time_of, until_when
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Field, Question, Tell

EVERY = "the whole house"


def _ask(scene: HouseScene) -> Question:
    machine = some_machine(scene, EVERY)
    name = "" if machine.value == "*" else f" {scene.house.machine(machine.value).name}"
    return Question(
        words="It does not fall asleep before then, whatever its checks find.",
        command=f"house hold{name or ' --all'} --until 2h --reason '…'",
        confirm="Hold it",
        fields=[
            machine,
            until_when(scene.fields.get("until", "2h")),
            Field("reason", "What for", scene.fields.get("reason", "")),
        ],
    )


async def _hold(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    machine, until, reason = some_machine_of(scene), time_of(scene), scene.field("reason")
    await visitor.do(lambda operator: operator.hold(machine, until, reason))
    tell(f"{machine or EVERY} stays awake until {at(until)}")


def _meant(scene: HouseScene) -> Hold:
    wanted = scene.field("hold")
    for hold in scene.house.holds:
        if str(hold.id) == wanted:
            return hold
    raise NotFound("hold", wanted)


def _ask_to_let_go(scene: HouseScene) -> Question:
    hold = _meant(scene)
    return Question(
        words=f"{hold.who} holds {hold.machine or EVERY} awake until {at(hold.until)}: {hold.reason}.",
        command=f"house hold --undo {hold.id}",
        confirm="Let it go",
        fields=[Field("hold", value=str(hold.id), hidden=True)],
    )


async def _let_go(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    hold = _meant(scene)
    await visitor.do(lambda operator: operator.let_go(hold.id or 0))
    tell(f"{hold.machine or EVERY} is not held by {hold.who} any more")


HOLD = Act("hold", "Hold a machine awake", _ask, _hold)
LET_GO = Act("let-go", "Let a machine go", _ask_to_let_go, _let_go)
