"""Leave the house, and come back."""

from __future__ import annotations

from house.errors import NotFound
from house.web.acts.fields import at, time_of, until_when
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Question, Tell


def _ask(scene: HouseScene) -> Question:
    return Question(
        words="Rules hold no machine awake until then, and wake none. Whoever asks for one still wakes it.",
        command="house away --until 3d",
        confirm="Leave the house",
        fields=[until_when(scene.fields.get("until", "3d"))],
    )


async def _leave(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    until = time_of(scene)
    await visitor.do(lambda operator: operator.leave(until))
    tell(f"nobody is at home until {at(until)}")


def _ask_to_come_back(scene: HouseScene) -> Question:
    away = scene.house.away
    if away is None:
        raise NotFound("time away", "now: somebody is at home")
    return Question(
        words=f"{away.who} said that nobody is at home until {at(away.until)}. Rules count again from now on.",
        command="house away --undo",
        confirm="Come back",
    )


async def _come_back(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    await visitor.do(lambda operator: operator.come_back())
    tell("somebody is at home again")


LEAVE = Act("away", "Leave the house", _ask, _leave)
COME_BACK = Act("back", "Come back", _ask_to_come_back, _come_back)
