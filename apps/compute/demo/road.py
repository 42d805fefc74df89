"""The main job: a fleet of juno becomes a fleet of kilo, and then one of liberty, while it works.

``ROAD`` is all of it, in order; what a hop from one release to the next is made of stands in ``hop``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from demo import breaks, moves, witness
from demo.fleet import FleetBroken
from demo.hop import Hop
from demo.loader import LoadBroken
from demo.operator import Refused
from demo.stage import Stage
from demo.step import Step

STOPPED_PATIENCE = 5.0
"""Seconds that are given to what was accepted, where the road has ended early and not all of it will ever be done."""

WAVES = (("conductor",), ("compute",), ("scheduler", "api"))
"""Who starts together. Who gives out work starts after those who take it, and so knows them from its first moment."""


async def start(stage: Stage) -> None:
    """The schema of juno, and a fleet of juno."""
    stage.configure("operator", "operator")
    await stage.operator.command("db", "expand", release="juno")
    for name, service in stage.members():
        stage.configure(name, service)
    for wave in WAVES:
        together = [member for member in stage.members() if member[1] in wave]
        await asyncio.gather(*(stage.fleet.start(name, service, "juno") for name, service in together))


async def populate(stage: Stage) -> None:
    """The instances that are there before the upgrade."""
    await stage.load.do("populate", instances=stage.size.instances, hosts=stage.size.hosts)


async def load(stage: Stage) -> None:
    """So many requests a second, from so many users."""
    await stage.load.do("start", rate=stage.size.rate, workers=stage.size.workers)


async def pause_too_early(stage: Stage) -> None:
    """What only liberty's agents understand is refused while they are kilo's, and has not happened."""
    stage.say(await witness.refused_pause(stage.port))


async def pause(stage: Stage) -> None:
    """Instances stand still for a moment, whichever release has started their processes."""
    paused = await stage.load.do("pause", count=stage.size.pauses)
    stage.say(f"{paused} instances were paused, and went on")


async def enough(stage: Stage) -> None:
    """The load goes on until there were enough requests."""
    while stage.requests() < stage.size.requests:  # noqa: ASYNC110 - another process writes that log
        await asyncio.sleep(0.2)


async def look(stage: Stage, patience: float = witness.SETTLED_WITHIN) -> None:
    """The load ends, what was accepted is let finish, and the observer looks at everything."""
    await stage.load.do("stop")
    stage.say(f"settled after {await witness.settle(stage.port, patience):.1f} s")
    await breaks.at("after load", stage)
    await stage.look_around()


KILO, LIBERTY = Hop("juno", "kilo"), Hop("kilo", "liberty")

ROAD = (
    Step("start", "3 releases, 1 schema: juno's; the fleet starts as juno", start),
    Step("populate", "instances are created", populate),
    Step("load", "users come, and stay until the end", load),
    *KILO.steps(),
    Step("liberty too early", "liberty's schema is refused: kilo's rows have not moved yet", moves.too_early),
    Step("kilo data", "the rows catch up in chunks; what is being resized is deferred", moves.catch_up),
    KILO.last,
    Step("kilo contract", "the old rows are deleted: nobody reads them", moves.delete_old_rows),
    *LIBERTY.steps(Step("liberty mixed", "a pause is refused while the agents are kilo's", pause_too_early)),
    Step("liberty pause", "instances are paused and go on: only liberty can do that", pause),
    LIBERTY.last,
    Step("liberty hold", "the home of the old rows is hidden, and nobody misses it", moves.hide),
    Step("liberty purge", "the home of the old rows is dropped", moves.drop),
    Step("enough", "the load goes on until there were enough requests", enough),
)
LAST = Step("look", "the load ends, and everything is looked at", look)


def until(name: str) -> tuple[Step, ...]:
    """The road up to a step, that one included. Raises ValueError for a step that it does not have."""
    names = [step.name for step in ROAD]
    if name and name not in names:
        raise ValueError(f"received step {name!r}, expected one of {', '.join(names)}")
    return ROAD[: names.index(name) + 1] if name else ROAD


async def walk(stage: Stage, begin: Callable[[str, str], None], steps: tuple[Step, ...] = ROAD) -> str:
    """Go the road, and look around at its end, however far it went. Returns why it ended early, or nothing."""
    why = ""
    for step in steps:
        begin(step.name, step.title)
        if why := await _go(stage, step):
            stage.say(why)
            break
    begin(LAST.name, LAST.title)
    last = Step(LAST.name, LAST.title, lambda stage: look(stage, STOPPED_PATIENCE)) if why else LAST
    return await _go(stage, last) if not why else f"{why}\n{await _go(stage, last)}".strip()


async def _go(stage: Stage, step: Step) -> str:
    begun = time.monotonic()
    try:
        await step.act(stage)
    except (Refused, FleetBroken, LoadBroken) as wrong:
        return f"{step.name}: {wrong}"
    finally:
        stage.steps.write(t=round(begun, 4), t1=round(time.monotonic(), 4), step=step.name)
    return ""
