"""Listen to somebody no more, and again."""

from __future__ import annotations

from house.web.acts.fields import ALL, some_machine, some_machine_of
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Field, Question, Tell

EVERY = "any machine"


def _ask(scene: HouseScene) -> Question:
    mac, machine = scene.fields.get("mac", ""), scene.fields.get("machine", ALL)
    chosen = "" if machine == ALL else f" --machine {scene.house.machine(machine).name}"
    return Question(
        words=f"Nothing wakes any more for {mac or 'this MAC address'}.",
        command=f"house ignore {mac or 'MAC'}{chosen}",
        confirm="Ignore it",
        fields=[
            Field("mac", "MAC address", mac),
            some_machine(scene, EVERY),
            Field("name", "What it is called", scene.fields.get("name", "") or mac),
        ],
        know=["Whoever else asks for the machine wakes it as before."],
    )


async def _ignore(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    mac, machine, name = scene.field("mac"), some_machine_of(scene), scene.fields.get("name", "").strip()
    found = await visitor.do(lambda operator: operator.ignore(mac, machine, name))
    tell(f"{machine or EVERY} does not wake for {found.mac} any more")


def _ask_to_heed(scene: HouseScene) -> Question:
    mac, machine = scene.field("mac"), some_machine_of(scene)
    return Question(
        words=f"{machine or EVERY} wakes for {mac} again.",
        command=f"house ignore --undo {mac}" + (f" --machine {machine}" if machine else ""),
        confirm="Listen to it",
        fields=[Field("mac", value=mac, hidden=True), Field("machine", value=machine or ALL, hidden=True)],
    )


async def _heed(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    mac, machine = scene.field("mac"), some_machine_of(scene)
    await visitor.do(lambda operator: operator.heed(mac, machine))
    tell(f"{machine or EVERY} wakes for {mac} again")


IGNORE = Act("ignore", "Ignore a requester", _ask, _ignore)
HEED = Act("heed", "Listen to a requester", _ask_to_heed, _heed)
