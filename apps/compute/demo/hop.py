"""A hop: a fleet of one release becomes a fleet of the next while it works, step by step.

Every act of the framework is one of its own commands, said from a copy of the release that comes; every process is
started and stopped as an operator would do it. The order of the methods is the order of the steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from demo import breaks
from demo.operator import Outcome
from demo.stage import Stage
from demo.step import Step

KNOWN_AGAIN = 3.0
"""Seconds after an agent's start until all APIs have heard of it: a conductor's look at its rows, and a beat."""

PATIENCE = "15s"
"""So long a gate may be asked again: on a busy machine, somebody's beat comes late now and then."""

IN_FLIGHT = 8
"""How many writes are sent just before a process is told to leave: the last of them is certainly unanswered then."""


@dataclass(frozen=True, slots=True)
class Hop:
    """From the release ``old`` to the release ``new``."""

    old: str
    new: str

    def steps(self, *mixed: Step) -> tuple[Step, ...]:
        """All but the last one, up to where everyone may speak ``new``; ``mixed`` are gone while the fleet is mixed."""
        return (
            Step(f"{self.new} prepare", f"may this fleet become {self.new}?", self.prepare),
            Step(f"{self.new} expand", f"the schema gets what {self.new} needs, and keeps what it has", self.expand),
            Step(f"{self.new} pin", f"whoever knows more speaks {self.old}", self.pin),
            Step(f"{self.new} control", f"API, scheduler, conductors become {self.new}, one by one", self.control),
            *mixed,
            Step(f"{self.new} soak", "the mixed fleet is watched", self.soak),
            Step(f"{self.new} roll", f"the agents become {self.new}, one by one; instances migrate between", self.roll),
            Step(f"{self.new} back", f"an API, a conductor, an agent back to {self.old} and forth again", self.back),
            Step(f"{self.new} unpin", f"everyone is {self.new} and may speak it", self.unpin),
        )

    @property
    def last(self) -> Step:
        """The one-way door."""
        return Step(f"{self.new} finalize", "the one-way door", self.finalize)

    async def prepare(self, stage: Stage) -> None:
        """Ask the gate, and show the way, also to who looks at it in a browser."""
        await stage.show(self.new)
        await self._say(stage, "upgrade", "plan", self.new)

    async def expand(self, stage: Stage) -> None:
        """Additions only: who does not know them works on."""
        await stage.operator.command("db", "expand", release=self.new)

    async def pin(self, stage: Stage) -> None:
        """For all topics at once."""
        await stage.operator.command("pin", "set", self.old, release=self.new)

    async def control(self, stage: Stage) -> None:
        """The new process is ready before the old one leaves."""
        await breaks.at(f"before {self.new} control", stage)
        for name, service in stage.members():
            if service != "compute":
                await replace(stage, name, self.new)
        await self._say(stage, "upgrade", "check", "control", "--wait", PATIENCE)
        await breaks.at(f"after {self.new} control", stage)

    async def soak(self, stage: Stage) -> None:
        """For as long as the size says, under load."""
        seconds = f"{stage.size.soak:g}s"
        await self._say(stage, "upgrade", "check", "soak", "--wait", seconds, "--window", seconds)

    async def roll(self, stage: Stage) -> None:
        """The old process leaves, and what is sent meanwhile waits for the new one."""
        hosts = stage.size.hosts
        for number, host in enumerate(hosts):
            await restart(stage, host, self.new)
            if later := hosts[number + 1 :]:
                await stage.load.do("migrate", source=host, target=later[0], count=2)
                await stage.load.do("migrate", source=later[0], target=host, count=2)
        await self._say(stage, "upgrade", "check", "roll", "--wait", PATIENCE)

    async def back(self, stage: Stage) -> None:
        """As if the new release had disappointed."""
        await replace(stage, "conductor-1", self.old)
        await replace(stage, "api-1", self.old)
        await restart(stage, "agent-1", self.old)
        await breaks.at(f"inside {self.new} back", stage)
        await replace(stage, "conductor-1", self.new)
        await replace(stage, "api-1", self.new)
        await restart(stage, "agent-1", self.new)

    async def unpin(self, stage: Stage) -> None:
        """Each message goes out in what its receivers understand."""
        await self._say(stage, "pin", "clear")

    async def finalize(self, stage: Stage) -> None:
        """No release before can open the database again."""
        await stage.operator.command("upgrade", "finalize", "--yes", release=self.new)

    async def _say(self, stage: Stage, *words: str) -> Outcome:
        """A command that may also warn."""
        return await stage.operator.command(*words, release=self.new, accept=(0, 1))


async def replace(stage: Stage, name: str, release: str) -> None:
    """The new process is started beside the old one, which leaves when it is ready."""
    old = stage.fleet.members[name]
    await stage.fleet.start(name, old.service, release)
    await stage.fleet.stop(old, amid_writes(stage, host=None))
    stage.say(f"{name} is {release} now")


async def restart(stage: Stage, name: str, release: str) -> None:
    """The old process leaves, with work in its hands, and the new one takes its place: there is one agent on a host."""
    old = stage.fleet.members[name]
    await stage.load.do("avoid", host=name)
    await stage.fleet.stop(old, amid_writes(stage, host=name))
    await stage.fleet.start(name, old.service, release)
    await asyncio.sleep(KNOWN_AGAIN)
    await stage.load.do("offer", host=name)
    stage.say(f"{name} is {release} now")


def amid_writes(stage: Stage, host: str | None) -> Callable[[int], Awaitable[float]]:
    """A way to tell a process to leave, which is up to the load client: it alone knows when a write is unanswered."""

    async def terminate(pid: int) -> float:
        moment: float = await stage.load.do("put_in_flight", host=host, writes=IN_FLIGHT, terminate=pid)
        return moment

    return terminate
