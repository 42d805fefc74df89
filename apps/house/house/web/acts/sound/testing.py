"""Try which engine the network bears."""

from __future__ import annotations

from collections.abc import Sequence

from house import trying
from house.names import ALL
from house.objects.player import Player
from house.objects.trial import Trial
from house.web.acts.sound.fields import some_target
from house.web.sources import BAY
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Field, Question, Tell


def _meant(scene: HouseScene) -> tuple[str, Sequence[Player], str]:
    """Which rooms by which name, and the host that sends the signal: where none is given, one from which something can
    be tried. Raises NotFound and InvalidValue."""
    target = scene.fields.get("target", ALL)
    rooms = trying.targets(scene.bay, [target])
    given = scene.fields.get("host") or next(iter(trying.senders(scene.bay, rooms)), "")
    return target, rooms, trying.sender(scene.bay, given)


def _ask(scene: HouseScene) -> Question:
    target, rooms, sender = _meant(scene)
    return Question(
        words="Rooms play a quiet tone by each engine that they and its sender have, and say what arrives.",
        command=f"house sound test {target} --from {sender}",
        confirm="Test it",
        fields=[
            some_target(scene),
            Field("host", "From", sender, [(each.name, each.name) for each in scene.bay.hosts]),
        ],
        know=[trying.interruption(trying.tries(scene.bay, rooms, sender), trying.SECONDS)],
    )


async def _test(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    _, rooms, sender = _meant(scene)
    trials = list[Trial]()
    for tried in trying.tries(scene.bay, rooms, sender):
        heard = await _heard(visitor, tried, sender)
        for trial in filter(trying.was_tried, heard):
            tell(f"{trial.player} by {trial.engine}: {trying.fault(trial) or 'it plays well'}")
        trials += heard
    has = {room.name: room.engine for room in rooms}
    for advice in trying.advise(trials):
        now = "" if advice.engine in (None, has[advice.room]) else f"; now it is {has[advice.room]}"
        tell(f"{advice.room}: {advice.engine or 'none'}, for {advice.why}{now}")
    for name, why in trying.untested(rooms, sender, trials).items():
        tell(f"{name} was not tested: {why}")


async def _heard(visitor: Visitor, tried: trying.Try, sender: str) -> Sequence[Trial]:
    return await visitor.do(lambda operator: operator.sound.test(tried, sender, trying.SECONDS))


TEST = Act("test", "Test the network", _ask, _test, (BAY,))
