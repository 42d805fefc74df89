"""Finalize: the one-way door."""

from __future__ import annotations

from midflight.console.scene import FleetScene
from midflight.errors import StepBlocked
from midflight.upgrade import gates
from midflight.upgrade.finalize import finalize
from midflight.upgrade.operator import Operator
from midflight.web import Act, Field, Question, Tell

WAIT_SECONDS = 60.0
"""How long each acknowledgement of all who open the database is waited for."""


def _ask(scene: FleetScene) -> Question:
    fleet, aim = scene.fleet, scene.aim
    verdict, doomed = gates.finalize(fleet, aim), gates.irreversible(fleet, aim)
    if verdict.status.exit_code > 1:
        raise StepBlocked(step="Finalize", reason="; ".join(fact.words for fact in verdict.because if fact.way_out))
    if not doomed:
        raise StepBlocked(step="Finalize", reason=f"there is nothing to do: {aim.target} is finalized")
    return Question(
        words="This cannot be undone.",
        command=f"midflight upgrade finalize --to {aim.target}",
        confirm="Finalize",
        fields=[Field("word", f"Type {aim.target}")],
        know=doomed,
        word=aim.target,
    )


async def _finalize(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    await finalize(operator, scene.aim, wait=WAIT_SECONDS, tell=tell)
    tell(f"{scene.aim.target} is finalized")


FINALIZE = Act("finalize", "Finalize", _ask, _finalize)
