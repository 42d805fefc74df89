"""Add a rule, and drop one."""

from __future__ import annotations

from house.errors import NotFound
from house.hours import read_clock, read_days, zone_here
from house.objects.rule import Rule
from house.web.acts.fields import some_machine, some_machine_of
from house.web.view import HouseScene
from house.web.visitor import Visitor
from midflight.web import Act, Field, Question, Tell

EVERY = "every machine"
WAKES = [("no", "they keep it awake"), ("yes", "they keep it awake, and it is woken when they begin")]


def _ask(scene: HouseScene) -> Question:
    fields = scene.fields
    return Question(
        words="In these hours it does not fall asleep, unless nobody is at home.",
        command="house rule --days Mon-Fri --begins 08:00 --ends 18:00",
        confirm="Add the rule",
        fields=[
            some_machine(scene, EVERY),
            Field("days", "Days", fields.get("days", "Mon-Fri"), hint="Mon-Fri, or Mon, Wed, Sat"),
            Field("begins", "From", fields.get("begins", "08:00")),
            Field("ends", "To", fields.get("ends", "18:00"), hint="Before the beginning, it is on the next day."),
            Field("zone", "Time zone", fields.get("zone", zone_here()), hint="Europe/Berlin, UTC, …"),
            Field("wakes", "What the hours do", fields.get("wakes", "no"), WAKES),
            Field("note", "What for", fields.get("note", "work")),
        ],
    )


async def _add(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    machine, days = some_machine_of(scene), read_days(scene.field("days"))
    begins, ends = (read_clock(name, scene.field(name)) for name in ("begins", "ends"))
    zone, note, wakes = scene.field("zone"), scene.fields.get("note", "").strip(), scene.field("wakes") == "yes"
    rule = await visitor.do(
        lambda operator: operator.rule(machine, days, begins, ends, zone=zone, wakes=wakes, note=note)
    )
    tell(f"{rule.machine or EVERY} stays awake {rule.in_words}")


def _meant(scene: HouseScene) -> Rule:
    wanted = scene.field("rule")
    for rule in scene.house.rules:
        if str(rule.id) == wanted:
            return rule
    raise NotFound("rule", wanted)


def _ask_to_drop(scene: HouseScene) -> Question:
    rule = _meant(scene)
    return Question(
        words=f"{rule.machine or EVERY} may sleep {rule.in_words} from now on.",
        command=f"house rule --undo {rule.id}",
        confirm="Drop the rule",
        fields=[Field("rule", value=str(rule.id), hidden=True)],
    )


async def _drop(visitor: Visitor, scene: HouseScene, tell: Tell) -> None:
    rule = _meant(scene)
    await visitor.do(lambda operator: operator.unrule(rule.id or 0))
    tell(f"the rule {rule.note or rule.in_words} is dropped")


ADD_RULE = Act("rule", "Add a rule", _ask, _add)
DROP_RULE = Act("unrule", "Drop a rule", _ask_to_drop, _drop)
