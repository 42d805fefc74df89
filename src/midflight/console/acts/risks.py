"""Take the risk of a gate's fact for a while, and take it no longer."""

from __future__ import annotations

from midflight.console.scene import FleetScene
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade.operator import Operator
from midflight.upgrade.plan import STEPS
from midflight.upgrade.verdict import Fact, Status
from midflight.web import Act, Field, Question, Tell

HOURS = (("1", "an hour"), ("4", "4 hours"), ("24", "a day"), ("168", "a week"))


def _fact(scene: FleetScene) -> Fact:
    """The fact as some gate finds it now. Raises StepBlocked where it is in nobody's way, or no risk to take."""
    name = scene.field("fact")
    found = [fact for step in STEPS for fact in step.gate(scene.fleet, scene.aim).because if fact.name == name]
    open_ones = [fact for fact in found if fact.status in (Status.FAIL, Status.UNKNOWN)]
    if not open_ones:
        raise StepBlocked(step=f"Acknowledging {name}", reason="it neither fails nor is unknown now")
    if not open_ones[0].kind.risk:
        raise StepBlocked(step=f"Acknowledging {name}", reason="it is no risk that a person can take")
    return open_ones[0]


def _ask_to_take(scene: FleetScene) -> Question:
    fact, hours = _fact(scene), scene.fields.get("hours", HOURS[1][0])
    if hours not in dict(HOURS):
        raise UsageError(reason=f"received {hours!r} hours, expected one of {', '.join(dict(HOURS))}")
    return Question(
        words=f"{fact.words}. Acknowledged, it is a warning, and stays listed.",
        command=f"midflight upgrade ack {fact.name} --reason … --expires {hours}h",
        confirm="Take the risk",
        fields=[
            Field("fact", value=fact.name, hidden=True),
            Field("reason", "Reason", scene.fields.get("reason", ""), hint="Everybody reads it with the fact."),
            Field("hours", "For", hours, HOURS),
        ],
        know=["At finalize no acknowledgement counts."],
    )


async def _take(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    name, reason = scene.field("fact"), scene.field("reason")
    until = await operator.acknowledge(name, reason, 3600 * float(scene.field("hours")))
    tell(f"{name} is acknowledged until {until:%Y-%m-%d %H:%M} UTC")


def _ask_to_withdraw(scene: FleetScene) -> Question:
    name = scene.field("fact")
    taken = [entry.facts for entry in scene.fleet.acknowledged if entry.facts.get("fact") == name]
    if not taken:
        raise StepBlocked(step=f"Withdrawing {name}", reason="nobody has acknowledged it, or that has expired")
    return Question(
        words=f"{taken[0].get('by', 'somebody')} took this risk: {taken[0].get('reason', 'no reason is known')}. "
        "Withdrawn, the fact counts again.",
        command=f"midflight upgrade ack {name} --withdraw",
        confirm="Withdraw",
        fields=[Field("fact", value=name, hidden=True)],
    )


async def _withdraw(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    await operator.withdraw(scene.field("fact"))
    tell(f"{scene.field('fact')}: the risk is taken no longer")


ACKNOWLEDGE = Act("ack", "Acknowledge a risk", _ask_to_take, _take)
WITHDRAW = Act("withdraw", "Withdraw an acknowledgement", _ask_to_withdraw, _withdraw)
