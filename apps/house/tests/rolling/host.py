"""Services of one release in one process, which are started and stopped by lines on its standard input.

Run in the release's own tree. What is asked comes and is answered as one line of JSON; the answer's ``wrong`` is an
error. The clock of its sleepers reads from a file how long the machine has slept.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from house.clock import now
from house.interfaces import WatcherAPI
from house.objects.history import History
from house.objects.machine import Machine, MachineList
from house.objects.wake import Wake
from house.project import project
from house.sleeper import service as sleepers
from midflight import Context, Runtime, Service
from midflight.config import Config
from midflight.db.engine import Database
from midflight.db.schema.runner import SchemaRunner
from midflight.service import RunningService
from midflight.upgrade import gates
from midflight.upgrade.aim import Aim
from midflight.upgrade.floors import floors
from midflight.upgrade.freeze import freeze
from midflight.upgrade.operator import operating
from midflight.upgrade.roster import named
from midflight.versions import load_releases


class SleptClock:
    """The machine's clock, and what a test says of its sleep."""

    def now(self) -> datetime:
        return now()

    def suspended(self) -> float:
        return float(Path(os.environ["SLEPT"]).read_text())

    def boottime(self) -> float:
        return time.monotonic() + self.suspended()


class StandIn(WatcherAPI):
    """A watcher that acknowledges; what it does on the network has tests of its own."""

    async def claim(self, context: Context, machine: Machine) -> None:
        pass

    async def release(self, context: Context, machine: str) -> None:
        pass

    async def wake(self, context: Context, machine: str) -> Wake:
        return Wake(machine=machine, asked_at=now())

    test_wake = wake

    async def changed(self, context: Context) -> None:
        pass


@asynccontextmanager
async def stand_in(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [StandIn()]


class Host:
    """What runs here, by service and host."""

    def __init__(self) -> None:
        self._running: dict[str, AsyncExitStack] = {}

    async def freeze(self, release: str) -> None:
        """Those that start later find it in the tree."""
        freeze(project, release)
        assert project.releases_dir is not None
        project.releases = load_releases(project.releases_dir)

    async def expand(self, config: str, release: str) -> None:
        url = Config.load(Path(config)).database or ""
        runner = SchemaRunner(url, project.schema, project.tables, release)
        await asyncio.to_thread(runner.expand, project.migrations)

    async def start(self, service: str, host: str, config: str) -> str:
        stack = AsyncExitStack()
        running = RunningService.running(project, Config.load(Path(config)), service, host)
        self._running[f"{service}@{host}"] = stack
        return (await stack.enter_async_context(running)).release

    async def stop(self, service: str, host: str) -> None:
        await self._running.pop(f"{service}@{host}").aclose()

    async def create(self, name: str, mac: str, config: str) -> None:
        async with self._context(config) as context:
            await Machine(context=context, name=name, mac=mac).create()

    async def look(self, config: str) -> dict[str, Any]:
        """How the fleet and the house stand."""
        found = Config.load(Path(config))
        async with operating(found, project) as operator:
            fleet = await operator.fleet()
            spoken = floors(fleet, await operator.manifests(fleet), project.contract.interfaces)
        async with self._context(config) as context:
            machines = {each.name: each.state for each in await MachineList.get_all(context)}
            naps = {name: (await History.of_machine(context, name)).asleep_seconds > 0 for name in machines}
        aim = Aim.of(project, project.releases[-1].name)
        found_bad = [fact for gate in (gates.prepare, gates.finalize) for fact in gate(fleet, aim).because]
        return {
            "members": {named(each): [each.release, each.state] for each in fleet.members if each.state != "retired"},
            "floors": {each.topic: [each.version, [named(holder) for holder in each.holders]] for each in spoken},
            "blocked_by": [f"{fact.name}: {fact.words}" for fact in found_bad if fact.status in ("fail", "unknown")],
            "machines": machines,
            "slept": naps,
        }

    @asynccontextmanager
    async def _context(self, config: str) -> AsyncIterator[Context]:
        database = await Database.open(Config.load(Path(config)).database or "")
        yield Context(database=database)
        await database.close()


async def answer(host: Host, line: str) -> dict[str, Any]:
    asked = json.loads(line)
    try:
        return {"done": await getattr(host, asked.pop("do"))(**asked)}
    except Exception as wrong:  # noqa: BLE001  # the test says it
        return {"wrong": f"{type(wrong).__name__}: {wrong}"}


async def main() -> None:
    project.services["watcher"] = Service("watcher", stand_in, agent=True)  # type: ignore[index]
    sleepers.SystemClock = SleptClock  # type: ignore[misc, assignment]
    host, loop = Host(), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(json.dumps(await answer(host, line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
