"""Replay a parked message, or let it go."""

from __future__ import annotations

from midflight.console.scene import FleetScene
from midflight.console.sources import PARKED
from midflight.upgrade import parked
from midflight.upgrade.operator import Operator
from midflight.upgrade.parked import Parked
from midflight.web import Act, Field, Question, Tell


def _meant(scene: FleetScene) -> Parked:
    (each,) = parked.named(scene.parked, [scene.field("message")])
    return each


def _said(each: Parked) -> str:
    sender = each.message.facts.get("sender", "unknown")
    return f"{each.method} to {each.message.address}, sent by {sender}, was parked {parked.parked_for(each)}"


def _fields(each: Parked) -> list[Field]:
    return [Field("message", value=each.id, hidden=True)]


def _ask_to_replay(scene: FleetScene) -> Question:
    each = _meant(scene)
    parked.check_replay([each])
    return Question(
        words=f"{_said(each)}. It is sent again as it is, and stays parked until it has run.",
        command=f"midflight parked replay {each.id}",
        confirm="Replay it",
        fields=_fields(each),
        know=[f"It was parked because: {each.message.facts.get('reason') or each.reason}"],
    )


async def _replay(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    each = _meant(scene)
    await operator.replay(each.message)
    tell(f"{each.id} {each.method} to {each.message.address} is sent again")


def _ask_to_discard(scene: FleetScene) -> Question:
    each = _meant(scene)
    free = [f"{other.id} {other.method}, which was held back, goes on" for other in _set_free(scene, each)]
    return Question(
        words=f"{_said(each)}. It will never run, and there is no way back.",
        command=f"midflight parked discard {each.id}",
        confirm="Discard it",
        fields=_fields(each),
        know=free,
    )


async def _discard(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    each = _meant(scene)
    was_there = await operator.discard(each.message)
    tell(f"{each.id} {each.method} to {each.message.address} " + ("is discarded" if was_there else "was gone already"))
    for other in _set_free(scene, each):
        await operator.replay(other.message)
        tell(f"{other.id} {other.method}, which was held back, is sent again")


def _set_free(scene: FleetScene, each: Parked) -> list[Parked]:
    return parked.set_free(scene.parked, [each])


REPLAY = Act("replay", "Replay a message", _ask_to_replay, _replay, beside=(PARKED,))
DISCARD = Act("discard", "Discard a message", _ask_to_discard, _discard, beside=(PARKED,))
