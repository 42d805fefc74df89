"""The main job: a fleet of juno becomes a fleet of kilo while it works, step by step.

Every act of the framework is one of its own commands; every process is started and stopped as an operator would do it.
The order of the functions in this file is the order of the road.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from demo import breaks, witness
from demo.fleet import FleetBroken
from demo.loader import LoadBroken
from demo.operator import Outcome, Refused
from demo.stage import Stage

STOPPED_PATIENCE = 5.0
"""Seconds that are given to what was accepted, where the road has ended early and not all of it will ever be done."""

KNOWN_AGAIN = 1.5
"""Seconds after an agent's start until all APIs have heard of it: a beat, and a little."""

IN_FLIGHT = 8
"""How many writes are sent just before a process is told to leave, so that some are unanswered while it goes."""

WAVES = (("conductor",), ("compute",), ("scheduler", "api"))
"""Who starts together. Who gives out work starts after those who take it, and so knows them from its first moment."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name in the report, its title, and what is done."""

    name: str
    title: str
    act: Callable[[Stage], Awaitable[None]]


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


async def prepare(stage: Stage) -> None:
    """The load begins; may this fleet become kilo?"""
    await stage.load.do("start", rate=stage.size.rate, workers=stage.size.workers)
    await stage.operator.command("upgrade", "plan", "kilo", accept=(0, 1))


async def expand(stage: Stage) -> None:
    """The schema gets what kilo needs, and keeps what juno has."""
    await stage.operator.command("db", "expand")


async def pin(stage: Stage) -> None:
    """Whoever knows more speaks juno."""
    await stage.operator.command("pin", "set", "juno")


async def control(stage: Stage) -> None:
    """API, scheduler and conductors, one by one: the new process is ready before the old one leaves."""
    await breaks.at("before control", stage)
    for name, service in stage.members():
        if service != "compute":
            await replace(stage, name, "kilo")
    await stage.operator.command("upgrade", "check", "control", accept=(0, 1))
    await breaks.at("after control", stage)


async def soak(stage: Stage) -> None:
    """The mixed fleet is watched for a while."""
    seconds = f"{stage.size.soak:g}s"
    await stage.operator.command("upgrade", "check", "soak", "--wait", seconds, "--window", seconds, accept=(0, 1))


async def roll(stage: Stage) -> None:
    """The agents, one by one: the old process leaves, and what is sent meanwhile waits for the new one."""
    hosts = stage.size.hosts
    for number, host in enumerate(hosts):
        await restart(stage, host, "kilo")
        if later := hosts[number + 1 :]:
            await stage.load.do("migrate", source=host, target=later[0], count=2)
            await stage.load.do("migrate", source=later[0], target=host, count=2)
    await stage.operator.command("upgrade", "check", "roll", accept=(0, 1))


async def back(stage: Stage) -> None:
    """One API, one conductor and one agent back to juno, as if kilo had disappointed, and forth again."""
    await replace(stage, "conductor-1", "juno")
    await replace(stage, "api-1", "juno")
    await restart(stage, "agent-1", "juno")
    await breaks.at("inside back", stage)
    await replace(stage, "conductor-1", "kilo")
    await replace(stage, "api-1", "kilo")
    await restart(stage, "agent-1", "kilo")


async def unpin(stage: Stage) -> None:
    """Everyone is kilo: kilo may be spoken."""
    await stage.operator.command("pin", "clear", accept=(0, 1))


async def data(stage: Stage) -> None:
    """The rows that nobody has saved since; those that are being resized are deferred, and followed up."""
    await witness.look_at_forms(stage.run, stage.witness)
    resizing = asyncio.create_task(keep_resizing(stage))
    while (await chunk(stage)).code != 0:
        if stage.operator.heard("deferred:"):
            resizing.cancel()
    resizing.cancel()
    await asyncio.wait({resizing})
    await witness.look_at_forms(stage.run, stage.witness)


async def keep_resizing(stage: Stage) -> None:
    """Resize instances that were not migrated yet, lowest ids first: some at once, then one after the other, so that
    whenever the first chunk comes it meets some of them in the middle."""
    at_once = stage.size.resizes // 3
    await stage.load.do("resize_quiet", count=at_once)
    for _ in range(stage.size.resizes - at_once):
        await asyncio.sleep(stage.size.resize_seconds * 0.8)
        await stage.load.do("resize_quiet", count=1)


async def chunk(stage: Stage) -> Outcome:
    """One run of the data migration. Where only deferred rows are left, there is nothing to do but wait."""
    command = ("data", "run", "migrate_flavor_data", "-n", str(stage.size.chunk))
    outcome = await stage.operator.command(*command, accept=(0, 1, 2))
    if outcome.code == 2:
        await asyncio.sleep(0.5)
    return outcome


async def finalize(stage: Stage) -> None:
    """The one-way door."""
    await stage.operator.command("upgrade", "finalize", "--yes")


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


async def replace(stage: Stage, name: str, release: str) -> None:
    """The new process is started beside the old one, which leaves when it is ready."""
    old = stage.fleet.members[name]
    await stage.fleet.start(name, old.service, release)
    await stage.load.do("put_in_flight", host=None, writes=IN_FLIGHT)
    await stage.fleet.stop(old)
    stage.say(f"{name} is {release} now")


async def restart(stage: Stage, name: str, release: str) -> None:
    """The old process leaves, with work in its hands, and the new one takes its place: there is one agent on a host."""
    old = stage.fleet.members[name]
    await stage.load.do("avoid", host=name)
    await stage.load.do("put_in_flight", host=name, writes=IN_FLIGHT)
    await stage.fleet.stop(old)
    await stage.fleet.start(name, old.service, release)
    await asyncio.sleep(KNOWN_AGAIN)
    await stage.load.do("offer", host=name)
    stage.say(f"{name} is {release} now")


ROAD = (
    Step("start", "2 releases, 1 schema: juno's; the fleet starts as juno", start),
    Step("populate", "instances are created", populate),
    Step("prepare", "the load begins; upgrade plan", prepare),
    Step("expand", "the schema grows", expand),
    Step("pin", "whoever knows more speaks juno", pin),
    Step("control", "API, scheduler and conductors become kilo, one by one", control),
    Step("soak", "the mixed fleet is watched", soak),
    Step("roll", "the agents become kilo, one by one, with live migrations between old and new", roll),
    Step("back", "one API, one conductor, one agent back to juno and forth again", back),
    Step("unpin", "everyone is kilo and may speak it", unpin),
    Step("data", "the rows catch up in chunks; what is being resized is deferred", data),
    Step("finalize", "the one-way door", finalize),
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
