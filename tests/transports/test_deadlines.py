"""Many deadlines by one timer: each that is missed is told once, in time, and none that was met."""

from __future__ import annotations

import asyncio

from midflight.transports.deadlines import FEW, Deadlines
from tests.transports.recorder import eventually


async def test_what_is_missed_is_told_in_its_order() -> None:
    """Whatever the order in which they are set, deadlines are missed in the order of their times, and not before."""
    now = asyncio.get_running_loop().time
    wanted, told, began = {"late", "first", "met", "second"}, list[tuple[str, float]](), now()
    deadlines = Deadlines(wanted, lambda name: told.append((name, now())))
    for name, after in (("late", 0.2), ("second", 0.1), ("first", 0.05), ("met", 0.07)):
        deadlines.add(name, began + after)
    wanted.discard("met")
    await eventually(lambda: len(told) == 3)
    assert [name for name, _ in told] == ["first", "second", "late"]
    assert all(at - began >= after for (_, at), after in zip(told, (0.05, 0.1, 0.2), strict=True))
    assert len(deadlines) == 0


async def test_one_that_has_passed_is_missed_at_once() -> None:
    """A deadline in the past is told in a coming turn of the loop, and others wait for their time."""
    now, told = asyncio.get_running_loop().time(), list[str]()
    deadlines = Deadlines({"past", "future"}, told.append)
    deadlines.add("future", now + 3600)
    deadlines.add("past", now - 1)
    await eventually(lambda: told == ["past"])
    assert len(deadlines) == 1


async def test_those_that_were_met_are_forgotten() -> None:
    """However long a deadline, what was met is not kept until then; what is wanted is."""
    wanted, far = {"kept"}, asyncio.get_running_loop().time() + 86_400
    deadlines = Deadlines(wanted, lambda _: None)
    deadlines.add("kept", far + 1)
    for number in range(10 * FEW):
        deadlines.add(str(number), far)
    assert len(deadlines) <= FEW
    wanted.update(map(str, range(2 * FEW)))
    for number in range(2 * FEW):
        deadlines.add(str(number), far)
    assert 2 * FEW < len(deadlines) <= 3 * FEW
