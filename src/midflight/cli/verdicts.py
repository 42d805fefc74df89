"""How verdicts and steps are shown, and the aim that a command is given."""

from __future__ import annotations

from midflight.cli.output import Output
from midflight.cli.place import Place
from midflight.conductor.interface import Fleet
from midflight.errors import UsageError
from midflight.spelling import meant
from midflight.upgrade import plan as planning
from midflight.upgrade.aim import Aim
from midflight.upgrade.plan import Step
from midflight.upgrade.verdict import Status, Verdict


def aim_of(place: Place, to: str | None) -> Aim:
    """The release that a command was told, or the newest that is frozen. Raises UsageError and ProjectError."""
    return Aim.latest(place.project) if to is None else Aim.of(place.project, to)


def step_of(name: str) -> Step:
    """A step by its name or number. Raises UsageError that lists the names."""
    if (chosen := planning.step(name)) is None:
        names = [each.name for each in planning.STEPS]
        raise UsageError(reason=f"received step {name!r}, expected one of {', '.join(names)}{meant(name, names)}")
    return chosen


def print_steps(out: Output, fleet: Fleet, aim: Aim) -> None:
    """The road, and where the fleet is on it."""
    out.table(
        ("", "step", "is", "command", "way back"),
        [
            (str(step.number), step.name, progress.value, step.say(aim), step.say_back(aim))
            for step, progress in planning.progress(fleet, aim)
        ],
    )


def print_verdict(out: Output, verdict: Verdict) -> None:
    """The status, each fact, and the ways out."""
    out.mark(verdict.status.value, verdict.step)
    for fact in verdict.because:
        out.mark(fact.status.value, fact.words, indent=2)
    for command in verdict.way_out if verdict.status is not Status.PASS else ():
        out.say(f"  way out: {command}")
