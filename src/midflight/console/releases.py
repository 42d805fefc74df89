"""Releases as a bar: how many members run which, from the oldest to the newest, each with a colour of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from midflight.conductor.interface import Member
from midflight.upgrade.aim import Aim


@dataclass(frozen=True)
class Part:
    """One release in a bar. ``start`` and ``width`` are parts of 100."""

    release: str
    kind: str
    """Its colour: ``target``, ``before`` (where the upgrade comes from), ``older``, ``newer``, or ``strange``."""
    count: int
    start: float
    width: float


def bar(members: Iterable[Member], aim: Aim) -> list[Part]:
    """The parts of a bar, the target's first: it grows from the left as the roll goes on."""
    counts = Counter(member.release for member in members)
    whole, start, parts = sum(counts.values()), 0.0, []
    for release in sorted(counts, key=lambda name: _order(name, aim)):
        width = 100 * counts[release] / whole
        parts.append(Part(release, kind(release, aim), counts[release], round(start, 3), round(width, 3)))
        start += width
    return parts


def kind(release: str, aim: Aim) -> str:
    """How a release stands to the aim of the upgrade."""
    if not aim.knows(release):
        return "strange"
    if release == aim.target:
        return "target"
    if aim.reached(release):
        return "newer"
    return "before" if release == aim.previous else "older"


def _order(release: str, aim: Aim) -> tuple[int, int, int, str]:
    """The newest first, and strangers last."""
    if not aim.knows(release):
        return (1, 0, 0, release)
    main, fix = aim.place(release)
    return (0, -main, -fix, release)
