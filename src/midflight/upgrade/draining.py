"""A host is emptied: its members are asked until nothing is left there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from midflight.upgrade.operator import Operator

LOOK_SECONDS = 1.0
EMPTY_LOOKS = 2
"""So often in a row nothing must be left: what was on its way there when the others heard of it may come after the
first."""

Left = Mapping[str, list[str] | None]
"""Member → what is still there; None while that is not known."""


async def drain(
    operator: Operator, members: Sequence[str], seconds: float, tell: Callable[[Left], None] = lambda _: None
) -> Left:
    """Drain these members until nothing is left there, or the time is over; what is left. Each look is told."""
    until, empty = time.monotonic() + seconds, 0
    while True:
        left = {member: await operator.drain(member) for member in members}
        tell(left)
        empty = empty + 1 if is_empty(left) else 0
        if empty == EMPTY_LOOKS or time.monotonic() >= until:
            return left
        await asyncio.sleep(LOOK_SECONDS)


def is_empty(left: Left) -> bool:
    """Whether nothing is left, which is known of each."""
    return all(each == [] for each in left.values())
