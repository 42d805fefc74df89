"""Empty a member's host, and retire a member that is gone for good."""

from __future__ import annotations

from midflight.conductor.interface import Member
from midflight.console.scene import FleetScene
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade import draining
from midflight.upgrade.operator import Operator
from midflight.upgrade.roster import ago, lives, named
from midflight.web import Act, Field, Question, Tell

DRAIN_SECONDS = 600.0
"""How long what is left is asked for; it goes on at the member all the same."""


def _meant(scene: FleetScene) -> Member:
    wanted = scene.field("member")
    for member in scene.fleet.members:
        if member.id == wanted:
            return member
    raise UsageError(reason=f"there is no member {wanted!r}: it has left, or was retired")


def _ask(scene: FleetScene) -> Question:
    member = _meant(scene)
    if lives(member):
        reason = f"it is alive, heard {ago(member.age)} ago. Stop it first"
        raise StepBlocked(step=f"Retiring {named(member)}", reason=reason)
    return Question(
        words=f"{named(member)} ({member.release}) was last heard {ago(member.age)} ago. Retired, it counts no more.",
        command=f"midflight fleet retire {member.id}",
        confirm="Retire it",
        fields=[Field("member", value=member.id, hidden=True)],
        know=["It may live on behind a broken network. Then it joins again at its next beat."],
    )


async def _retire(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    member = _meant(scene)
    await operator.retire(member.id)
    tell(f"{named(member)} ({member.release}) is retired")


def _ask_to_drain(scene: FleetScene) -> Question:
    member = _meant(scene)
    if not lives(member):
        raise StepBlocked(step=f"Draining {named(member)}", reason=f"it is {member.state}, and cannot be asked")
    return Question(
        words=f"{named(member)} takes no new work, and the application moves away what lives there.",
        command=f"midflight fleet drain {member.host}",
        confirm="Drain it",
        fields=[Field("member", value=member.id, hidden=True)],
        know=["The command drains all members on the host."],
    )


async def _drain(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    member, told = _meant(scene), 0

    def say(left: draining.Left) -> None:
        nonlocal told
        number = len(left[member.id] or ())
        if number and number != told:
            tell(f"{number} left on {member.host}")
            told = number

    if not draining.is_empty(await draining.drain(operator, [member.id], DRAIN_SECONDS, say)):
        reason = f"not all has left within {DRAIN_SECONDS:.0f} s. It goes on, and may be asked for again"
        raise StepBlocked(step=f"Draining {named(member)}", reason=reason)
    tell(f"{named(member)} takes no new work, and nothing is left there")


def _ask_to_take_work(scene: FleetScene) -> Question:
    member = _meant(scene)
    return Question(
        words=f"{named(member)} takes work again; what is still there stays.",
        command=f"midflight fleet drain {member.host} --undo",
        confirm="Take work again",
        fields=[Field("member", value=member.id, hidden=True)],
    )


async def _take_work(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    member = _meant(scene)
    await operator.drain(member.id, undo=True)
    tell(f"{named(member)} takes work again")


DRAIN = Act("drain", "Drain a member", _ask_to_drain, _drain)
UNDO_DRAIN = Act("undo-drain", "Let a member work again", _ask_to_take_work, _take_work)
RETIRE = Act("retire", "Retire a member", _ask, _retire)
