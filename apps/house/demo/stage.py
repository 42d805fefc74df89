"""What the story is told with: the network, the box and its services, the machines and their agents, the page. It is
taken down again, however the story ends."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

from demo.band import STATION, Band, band
from demo.door import door
from tests.lab.agent import Agent
from tests.lab.house import Box
from tests.lab.network import Network, Sleeper, network
from tests.lab.unit import PROGRAMS, Unit
from tests.rolling import trees

PORT = 8710
"""Where the page listens on the box."""


class Broken(Exception):
    """What the story needs did not do what was asked of it; the message says which, and its last words."""


class Stage:
    """One run. ``say`` gets every line that somebody may want to see."""

    def __init__(self, net: Network, folder: Path, url: str, band: Band, say: Callable[[str], None]) -> None:
        self.net, self.folder, self.url, self.band, self.say = net, folder, url, band, say
        self.machines = net.sleepers
        self.box = Box(net, folder)
        self.agents = {each.name: Agent(each, folder, quiet_seconds=2.0) for each in net.sleepers}
        command = [
            sys.executable,
            "-m",
            "house",
            "page",
            "--listen",
            f"127.0.0.1:{PORT}",
            "--config",
            str(self.box.config),
        ]
        self.page = Unit("page", net.watcher, folder, command)
        self.box.units += [*self.agents.values(), self.page, *band.agents.values()]
        for each in net.sleepers:
            if each.name in band.hosts:
                band.sleeps_with(each)
        self.trees = {"alder": trees.present(folder / "alder")}
        self.tree = self.trees["alder"]
        """From which the box's own commands are run."""
        self.answers: list[float | None] = []
        """For each request of the visitor: how many seconds it took, None where there was no answer."""
        self.expected = dict.fromkeys((each.name for each in net.sleepers), 0)
        """How often each machine was wanted while it slept."""
        self.noise = 0
        """Events that nobody is to be woken for."""
        self.releases: dict[str, str] = {}
        """Which release each member runs at the end."""
        self.slept_through: list[str] = []
        """Who slept from before the first step of the upgrade until after the last."""
        self.gaps: dict[str, int] = {}
        """Silences in rooms that played all through the upgrade."""

    def machine(self, name: str) -> Sleeper:
        """One of the machines."""
        return next(each for each in self.machines if each.name == name)

    async def moved_in(self) -> None:
        """Wait until the house knows all machines."""
        known = set[str]()
        while not known >= self.agents.keys():
            await asyncio.sleep(0.1)
            with closing(sqlite3.connect(self.folder / "house.db")) as rows:
                known = {name for (name,) in rows.execute("SELECT name FROM machines")}

    async def command(self, program: str, *words: str, aloud: bool = True, **environment: str) -> str:
        """Say a command on the box, and what it answered. Raises Broken where it fails."""
        if aloud:
            self.say(f"box$ {program} {' '.join(words)}")
        start = [sys.executable, "-m", "house"] if program == "house" else [str(PROGRAMS / program)]
        config = ["--config", str(self.box.config)]
        given = [f"{name}={value}" for name, value in environment.items()]
        code, output = await self.net.run(
            "env", "COLUMNS=110", *given, *start, *words, *config, namespace=self.net.watcher, folder=self.tree
        )
        if code:
            raise Broken(f"{program} {' '.join(words)} exited with {code}: {output[-2000:]}")
        return output

    async def ask(self, machine: Sleeper) -> None:
        """The visitor asks a machine for its page, as somebody does who knows nothing of its sleep."""
        self.expected[machine.name] += machine.asleep
        slept = "asleep" if machine.asleep else "awake"
        begun = time.monotonic()
        try:
            await self.net.curl(machine, machine.four)
        except AssertionError as wrong:  # a request without an answer is a figure
            self.answers.append(None)
            self.say(f"visitor$ curl http://{machine.name}/: NO ANSWER ({wrong})")
            return
        self.answers.append(time.monotonic() - begun)
        self.say(f"visitor$ curl http://{machine.name}/ ({slept}): answered after {self.answers[-1]:.1f} s")


@asynccontextmanager
async def staged(cast: Sequence[Sleeper], rooms: Sequence[str], say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """A stage with these machines and rooms, of which some may be at a machine. Nothing runs yet but the network, the
    sound cards, and the door through which the page is seen."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="house-demo-")))
        awake = [room for room in rooms if room not in {each.name for each in cast}]
        net = await stack.enter_async_context(network(cast, others=[STATION, *awake]))
        url = await stack.enter_async_context(door(net.watcher, PORT))
        stage = Stage(net, folder, url, await stack.enter_async_context(band(net, folder, rooms)), say)
        stack.push_async_callback(stage.box.end)
        yield stage
