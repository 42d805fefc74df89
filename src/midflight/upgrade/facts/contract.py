"""Facts about what the releases say to each other."""

from __future__ import annotations

from collections.abc import Iterator

from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.verdict import Fact, bad, good, missing, tells

_NAMED = 5


@tells(kinds.CONTRACT)
def compatible(aim: Aim) -> Iterator[Fact]:
    """Whether peers of the releases before survive the target's objects and interfaces."""
    way_out = f"midflight release check, from a copy of {aim.target}"
    if aim.breaks is None:
        words = f"the code here does not say what the frozen {aim.target} says: nobody can tell what it breaks"
        yield missing(words, f"run midflight from a copy of {aim.target}")
    elif aim.breaks:
        more = f"; and {len(aim.breaks) - _NAMED} more" if len(aim.breaks) > _NAMED else ""
        yield bad(f"{aim.target} breaks peers: {'; '.join(aim.breaks[:_NAMED])}{more}", way_out)
    else:
        yield good(f"{aim.target} breaks no peer in the skew window")
