"""The steps of an upgrade as data, which of them are done, and where the fleet is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from midflight.conductor.interface import Fleet, Member
from midflight.db.write_form import Form
from midflight.upgrade import gates, roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import data, schema
from midflight.upgrade.gates import Gate
from midflight.upgrade.verdict import Status


class Progress(StrEnum):
    """Where a step stands."""

    DONE = "done"
    HERE = "here"
    AHEAD = "ahead"


@dataclass(frozen=True)
class Step:
    """One step. ``command`` and ``way_back`` name the releases as ``{target}`` and ``{previous}``."""

    number: int
    name: str
    command: str
    gate: Gate
    way_back: str

    def say(self, aim: Aim) -> str:
        """The command, with the releases' names."""
        return _filled(self.command, aim)

    def say_back(self, aim: Aim) -> str:
        """The way back, with the releases' names."""
        return _filled(self.way_back, aim)


def _filled(text: str, aim: Aim) -> str:
    return text.format(target=aim.target, previous=aim.previous or "the release before")


_CONTROL_BACK = "deploy {previous} to the control services again"
_ROLL_BACK = "deploy {previous} again, each agent alone; midflight parked list has what was too new for it"

STEPS = (
    Step(0, "prepare", "midflight upgrade plan {target}", gates.prepare, "nothing has changed yet"),
    Step(1, "schema", "midflight db expand, from a copy of {target}", gates.schema, "none needed: {previous} works on"),
    Step(2, "pin", "midflight pin set {previous}", gates.pin, "midflight pin clear"),
    Step(3, "control", "deploy {target} to all but the agents, in any order", gates.control, _CONTROL_BACK),
    Step(4, "soak", "midflight upgrade check soak --wait 30m", gates.soak, _CONTROL_BACK),
    Step(5, "roll", "deploy {target} to the agents, one by one", gates.roll, _ROLL_BACK),
    Step(6, "unpin", "midflight pin clear", gates.unpin, "midflight pin set {previous}"),
    Step(7, "data", "midflight data run", gates.data, "midflight data pause NAME: rows keep both forms"),
    Step(8, "finalize", "midflight upgrade finalize", gates.finalize, "none: it lists what it takes away"),
)


def step(name: str) -> Step | None:
    """A step by its name or number."""
    return next((each for each in STEPS if name in (each.name, str(each.number))), None)


def here(fleet: Fleet, aim: Aim) -> int:
    """The number of the step that comes next: the one after the last that is done; 9 when all are."""
    last = max(_done(fleet, aim), default=-1)
    return last + 1


def progress(fleet: Fleet, aim: Aim) -> list[tuple[Step, Progress]]:
    """All steps, each with where it stands."""
    now = here(fleet, aim)
    return [(each, _standing(each.number, now)) for each in STEPS]


def _standing(number: int, now: int) -> Progress:
    if number == now:
        return Progress.HERE
    return Progress.DONE if number < now else Progress.AHEAD


def _done(fleet: Fleet, aim: Aim) -> Iterator[int]:
    """The steps that have left a mark in the fleet. A soak leaves none but that the next step has begun."""
    agents, control = _agents(fleet, aim)
    arrived = [member for member in agents if aim.reached(member.release)]
    everyone_new = _all_new(fleet.members, aim)
    if gates.prepare(fleet, aim).status in (Status.PASS, Status.WARN):
        yield 0
    if all(fact.status is Status.PASS for fact in (*schema.expanded(fleet, aim), *schema.fits(fleet, aim))):
        yield 1
        if fleet.pins and gates.pin(fleet, aim).status is Status.PASS:
            yield 2
    if _all_new(control, aim):
        yield 3
    if arrived and _all_new(control, aim):
        yield 4
    if everyone_new:
        yield 5
        yield from _after_the_roll(fleet, aim)


def _after_the_roll(fleet: Fleet, aim: Aim) -> Iterator[int]:
    states = data.migrations(fleet, aim)
    told = set(aim.migrations) <= {state.name for state in fleet.migrations}
    if fleet.pins:
        return
    yield 6
    if told and all(state.proven for state in states):
        yield 7
        floor_is_up = aim.previous is None or aim.reached(fleet.store_floor or "")
        if floor_is_up and all(state.form == Form.NEW.value for state in states):
            yield 8


def _agents(fleet: Fleet, aim: Aim) -> tuple[list[Member], list[Member]]:
    agents = [member for member in fleet.members if member.service in aim.agents]
    return agents, [member for member in fleet.members if member.service not in aim.agents]


def _all_new(members: list[Member], aim: Aim) -> bool:
    present = roster.awake(members)
    return bool(present) and all(aim.reached(member.release) for member in present)
