"""The page Upgrade: the steps as a road, where the fleet is on it, and what the gate of a step says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midflight.conductor.interface import Fleet
from midflight.console.releases import bar
from midflight.console.sources import FLEET
from midflight.console.view import FleetView
from midflight.upgrade import gates, kinds, roster
from midflight.upgrade import plan as planning
from midflight.upgrade.aim import Aim
from midflight.upgrade.plan import STEPS, Progress, Step
from midflight.upgrade.verdict import Fact, Verdict
from midflight.upgrade.why import why
from midflight.web import Page


def _model(view: FleetView) -> Mapping[str, Any]:
    fleet = view.picture.of(FLEET)
    assert fleet is not None  # a page is made of a fleet that was seen
    aim = view.aim
    road = planning.progress(fleet, aim)
    now = sum(progress is Progress.DONE for _, progress in road)
    chosen = planning.step(view.query.get("step", "")) or (STEPS[now] if now < len(STEPS) else None)
    verdict = None if chosen is None else _verdict(chosen, fleet, aim, view)
    settled = aim.previous is None and all(aim.knows(member.release) for member in fleet.members)
    return {
        "aim": aim,
        "road": road,
        "at": now,
        "done": now >= len(STEPS),
        "settled": settled,
        "step": chosen,
        "verdict": verdict,
        "because": [] if verdict is None else [fact for fact in verdict.because if not _on_the_clock(fact, view)],
        "ways": _ways(verdict) if verdict else (),
        "does": commanded(chosen.say(aim)) if chosen else None,
        "irreversible": gates.irreversible(fleet, aim) if chosen is not None and chosen.name == "finalize" else [],
        "soaks": chosen is not None and chosen.gate is gates.soak,
        "bar": bar(fleet.members, aim),
        "late": len(roster.behind(fleet, fleet.epoch)),
        "lost": len(roster.lost(fleet)),
    }


@dataclass(frozen=True)
class Said:
    """What to do, in words that have a command in them, or none."""

    before: str
    command: str
    behind: str


_COMMAND = re.compile(r"midflight (?!from\b)[^,;]+")


def commanded(text: str) -> Said:
    """Tell a command from the words around it."""
    found = _COMMAND.search(text)
    if found is None:
        return Said(text, "", "")
    return Said(text[: found.start()].strip(), found[0].strip(), text[found.end() :].strip(" ,;"))


def _ways(verdict: Verdict) -> list[tuple[Said | None, Sequence[Fact]]]:
    """What to do, and which facts that mends; for some there is nothing but to wait."""
    remedies = why(verdict, ()).remedies
    return [(commanded(each.do) if each.do else None, each.mends) for each in remedies]


def _verdict(step: Step, fleet: Fleet, aim: Aim, view: FleetView) -> Verdict:
    """A soak's gate is judged by the clock that never stops looking, any other by this picture alone."""
    if step.gate is gates.soak and view.soak.verdict is not None:
        return view.soak.verdict
    return step.gate(fleet, aim)


def _on_the_clock(fact: Fact, view: FleetView) -> bool:
    """For how long all was clean is on the clock, while that runs; in words it would be new with each second."""
    return fact.kind is kinds.CLEAN and view.soak.since is not None


UPGRADE_PAGE = Page("upgrade", "Upgrade", "u", _model, (FLEET,))
