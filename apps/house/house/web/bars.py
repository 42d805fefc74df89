"""Bars, one for each day: their places in a plot that is 100 wide and 100 high."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP = 0.22
"""The part of a day's place that is left free."""


@dataclass(frozen=True)
class Part:
    """A part of a bar; ``kind`` is its colour."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A day's bar, from its foot upwards."""

    x: float
    width: float
    parts: Sequence[Part]


def bars(days: Sequence[Mapping[str, float]], top: float) -> list[Bar]:
    """A bar for each day, of its kinds and their amounts; one as high as ``top`` reaches to the top."""
    place = 100 / max(1, len(days))
    return [
        Bar(round(n * place + place * GAP / 2, 3), round(place * (1 - GAP), 3), _parts(amounts, top))
        for n, amounts in enumerate(days)
    ]


def _parts(amounts: Mapping[str, float], top: float) -> list[Part]:
    parts, foot = [], 100.0
    for kind, amount in amounts.items():
        height = 100 * min(amount, top) / top if top else 0.0
        if height:
            foot -= height
            parts.append(Part(kind, round(foot, 3), round(height, 3)))
    return parts


def rounded(most: float, least: float = 1.0) -> float:
    """The top of a scale: a round number times a power of ten, and no lower than what it has to hold."""
    wanted = max(most, least)
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= wanted * (1 - 1e-9))
