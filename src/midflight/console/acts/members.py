"""Retire a member that is gone for good."""

from __future__ import annotations

from midflight.conductor.interface import Member, State
from midflight.console.act import Act, Field, Question, Scene, Tell
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade.operator import Operator
from midflight.upgrade.roster import ago, named


def _meant(scene: Scene) -> Member:
    wanted = scene.field("member")
    for member in scene.fleet.members:
        if member.id == wanted:
            return member
    raise UsageError(reason=f"there is no member {wanted!r}: it has left, or was retired")


def _ask(scene: Scene) -> Question:
    member = _meant(scene)
    if member.state == State.ACTIVE:
        reason = f"it is alive, heard {ago(member.age)} ago. Stop it first"
        raise StepBlocked(step=f"Retiring {named(member)}", reason=reason)
    return Question(
        words=f"{named(member)} ({member.release}) was last heard {ago(member.age)} ago. Retired, it counts no more.",
        command=f"midflight fleet retire {member.id}",
        confirm="Retire it",
        fields=[Field("member", value=member.id, hidden=True)],
        know=["It may live on behind a broken network. Then it joins again at its next beat."],
    )


async def _retire(operator: Operator, scene: Scene, tell: Tell) -> None:
    member = _meant(scene)
    await operator.retire(member.id)
    tell(f"{named(member)} ({member.release}) is retired")


RETIRE = Act("retire", "Retire a member", _ask, _retire)
