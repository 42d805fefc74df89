"""Was it as promised? Counted where it happens: at who asked, at the machines' network cards, and at the rooms' sound
cards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demo.stage import Stage


def of(stage: Stage, upgraded: bool) -> dict[str, Any]:
    """The figures of a run, by name."""
    answers = [each for each in stage.answers if each is not None]
    woken = {each.name: each.woken for each in stage.machines}
    return {
        "asked": len(stage.answers),
        "answered": len(answers),
        "missed": len(stage.answers) - len(answers),
        "wakes": sum(woken.values()),
        "noise": stage.noise,
        "false": sum(max(0, woken[name] - wanted) for name, wanted in stage.expected.items()),
        "longest_answer_seconds": round(max(answers, default=0.0), 2),
        "rooms_listened_to": stage.band.checked,
        "listened_seconds": round(stage.band.listened, 1),
        "wrong_rooms": stage.band.wrong,
        "gaps_in_upgrade": sum(stage.gaps.values()) if upgraded else None,
        "slept_through_upgrade": stage.slept_through if upgraded else None,
        "releases": stage.releases if upgraded else None,
    }


def wrong(found: Mapping[str, Any]) -> list[str]:
    """Each figure that is not as promised, in words."""
    if found["stopped"]:
        return [f"the story ended early: {found['stopped']}"]
    return [*_of_wakes(found), *([] if found["releases"] is None else _of_upgrade(found))]


def _of_wakes(found: Mapping[str, Any]) -> Iterator[str]:
    for name in ("missed", "false", "wrong_rooms"):
        if found[name]:
            yield f"{name} is {found[name]}, not 0"
    for name in ("asked", "wakes", "noise", "rooms_listened_to", "listened_seconds"):
        if not found[name]:
            yield f"{name} is 0, so nothing was shown"


def _of_upgrade(found: Mapping[str, Any]) -> Iterator[str]:
    if found["gaps_in_upgrade"]:
        yield f"gaps_in_upgrade is {found['gaps_in_upgrade']}, not 0"
    if not found["slept_through_upgrade"]:
        yield "no machine slept from before the first step of the upgrade until after the last"
    if {*found["releases"].values()} != {"birch"}:
        yield f"not all members ended as birch: {found['releases'] or 'nobody looked'}"


def write(found: Mapping[str, Any], file: Path) -> None:
    """Keep them as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2) + "\n")
