"""Plans: what happens to a fleet on its way from one release to the next; drawn, said, read, and made shorter."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from midflight.errors import InvalidValue

PINNED = {"upgrade": 4, "roll back": 2, "restart": 1, "kill": 2}
"""What may happen while the new release comes, and how often in relation: from the old release's pin to its end."""
UNPINNED = {"restart": 1, "kill": 1}
"""And from there to finalize: there is no way back without a pin."""
CASES = "midflight_plans"
"""The attribute of a test that says what the plugin for pytest makes its cases of: a number, and plans in words."""

_PHASE = re.compile(r"(\S+) (pinned|unpinned): (.*)")
_ACT = re.compile(rf"({'|'.join(PINNED)}) (\S+)")


@dataclass(frozen=True)
class Act:
    """One of them: on the way to ``release``, in a phase, a verb for a member."""

    release: str
    phase: str
    verb: str
    member: str


Plan = tuple[Act, ...]


def drawn(seed: int, releases: Sequence[str], members: Sequence[str]) -> Plan:
    """The plan of a seed: some acts on the way to each release. Whoever is not new in the end becomes so anyway."""
    chance, acts = random.Random(seed), list[Act]()
    for release in releases:
        for phase, verbs, most in (("pinned", PINNED, 6), ("unpinned", UNPINNED, 2)):
            for verb in chance.choices([*verbs], [*verbs.values()], k=chance.randint(1, most)):
                acts.append(Act(release, phase, verb, chance.choice(members)))
    return tuple(acts)


def said(plan: Plan) -> str:
    """``kilo pinned: upgrade api-1, kill compute-1 | kilo unpinned: restart api-1``"""
    phases = groupby(plan, lambda act: (act.release, act.phase))
    return " | ".join(f"{' '.join(phase)}: {', '.join(f'{a.verb} {a.member}' for a in acts)}" for phase, acts in phases)


def read(text: str) -> Plan:
    """The plan that was said so. Raises InvalidValue."""
    acts = list[Act]()
    for part in filter(None, text.split(" | ")):
        phase = _PHASE.fullmatch(part)
        found = [_ACT.fullmatch(word) for word in phase[3].split(", ")] if phase else [None]
        for each in found:
            if phase is None or each is None:
                expected = said((Act("kilo", "pinned", "roll back", "api-1"), Act("kilo", "unpinned", "kill", "api-1")))
                raise InvalidValue(path="plan", received=repr(part), expected=f"words like {expected!r}")
            acts.append(Act(phase[1], phase[2], each[1], each[2]))
    return tuple(acts)


def shortest(plan: Plan, fails: Callable[[Plan], bool], tries: int) -> Plan:
    """A part of a failing plan that fails too, of which no single act can be left out, found within so many tries.

    Delta debugging: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.
    """
    size = max(1, len(plan) // 2)
    while plan and tries > 0:
        for start in range(0, len(plan), size):
            shorter = plan[:start] + plan[start + size :]
            tries -= 1
            if fails(shorter):
                plan, size = shorter, min(size, max(1, len(shorter) // 2))
                break
            if tries <= 0:
                break
        else:
            if size == 1:
                break
            size = max(1, size // 2)
    return plan
