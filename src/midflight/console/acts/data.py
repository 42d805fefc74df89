"""Steer a data migration in the background, and put the brake on for all of them."""

from __future__ import annotations

from midflight.conductor.data_objects import MigrationState
from midflight.console.scene import FleetAct, FleetScene
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade.operator import Operator
from midflight.web import Act, Field, Question, Tell

SAID = {
    "start": ("The conductors migrate its rows in the background, one of them at a time, at the fleet's pace.", "runs"),
    "pause": ("It stops behind its present chunk, and can go on from there.", "is paused behind its last chunk"),
    "resume": ("It goes on where it was.", "goes on where it was"),
    "cancel": (
        "It stops for good. Rows that are migrated stay so; a new start begins at the first row.",
        "is cancelled; rows that are migrated stay so",
    ),
}
"""What each act means, and how it is told when it was done."""


def _meant(scene: FleetScene) -> MigrationState:
    wanted = scene.field("name")
    for migration in scene.fleet.migrations:
        if migration.name == wanted:
            return migration
    known = ", ".join(each.name for each in scene.fleet.migrations) or "none"
    raise UsageError(reason=f"there is no data migration {wanted!r}; there are {known}")


def _steering(act: str) -> FleetAct:
    meaning, done = SAID[act]

    def ask(scene: FleetScene) -> Question:
        migration = _meant(scene)
        return Question(
            words=f"{migration.name}, on {migration.table}: {meaning}",
            command=f"midflight data {act} {migration.name}",
            confirm=act.capitalize(),
            fields=[Field("name", value=migration.name, hidden=True)],
            know=["The brake is on: no row moves before it is released."] if scene.fleet.brake else [],
        )

    async def do(operator: Operator, scene: FleetScene, tell: Tell) -> None:
        migration = _meant(scene)
        await operator.steer(migration.name, act)
        tell(f"{migration.name} {done}")

    return Act(f"data-{act}", f"{act.capitalize()} a data migration", ask, do)


def _on(scene: FleetScene) -> bool:
    asked = scene.field("on")
    if asked not in ("yes", "no"):
        raise UsageError(reason=f"received on {asked!r}, expected yes or no")
    return asked == "yes"


def _ask_to_brake(scene: FleetScene) -> Question:
    on = _on(scene)
    if on == scene.fleet.brake:
        raise StepBlocked(step="The brake", reason="it is on already" if on else "it is not on")
    return Question(
        words="Nobody migrates rows, whoever asks for it, before the brake is released again."
        if on
        else "Whoever was migrating rows goes on.",
        command="midflight data brake" + ("" if on else " --release"),
        confirm="Put the brake on" if on else "Release the brake",
        fields=[Field("on", value="yes" if on else "no", hidden=True)],
    )


async def _brake(operator: Operator, scene: FleetScene, tell: Tell) -> None:
    on = _on(scene)
    await operator.brake(on)
    tell("the brake is on: each chunk that runs ends, and none begins" if on else "the brake is released")


STEER = [_steering(act) for act in SAID]
BRAKE = Act("brake", "The brake", _ask_to_brake, _brake)
