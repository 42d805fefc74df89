"""The rest of the house, on the watcher's box: a broker, a conductor with its database, and the watcher as a service,
each a process of its own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from house.objects.machine import Machine
from house.objects.wake import Wake, WakeList
from house.states import State
from midflight import Context, types
from midflight.db.engine import Database
from tests.lab.network import Network, Sleeper
from tests.lab.unit import PATIENCE, PROGRAMS, Unit, service

BROKER = "nats://198.18.0.2:4222"
"""Where all machines find it."""


class Box:
    """What runs on the watcher's box, by its name."""

    def __init__(self, net: Network, folder: Path) -> None:
        config = folder / "house.toml"
        config.write_text(
            f'[midflight]\nproject = "house.project:project"\nbroker = "{BROKER}"\n'
            f'state = "{folder}/state"\nbeat_seconds = 1\n'
        )
        self.net, self.folder, self.config = net, folder, config
        self.database = f"sqlite:///{folder}/house.db"
        store = ["-js", "-sd", str(folder / "broker"), "-a", "0.0.0.0", "-p", "4222"]
        self.broker = self._unit("broker", [str(PROGRAMS / "nats-server"), *store])
        self.conductor = self._unit("conductor", service("conductor", "box", config), MIDFLIGHT_DATABASE=self.database)
        self.watcher = self._unit("watcher", service("watcher", "box", config))
        self.units = [self.broker, self.conductor, self.watcher]

    def _unit(self, name: str, command: Sequence[str], **environment: str) -> Unit:
        return Unit(name, self.net.watcher, self.folder, command, **environment)

    async def end(self) -> None:
        """All of it ends."""
        for unit in reversed(self.units):
            await unit.end()


class House(Box):
    """Its processes, and what it knows."""

    def __init__(self, net: Network, folder: Path, database: Database) -> None:
        super().__init__(net, folder)
        self._context = Context(database=database)

    async def enrol(self, sleepers: Sequence[Sleeper]) -> None:
        """These are its machines."""
        for each in sleepers:
            mac = types.MacAddress(str(each.mac))
            machine = Machine(context=self._context, name=each.name, mac=mac, mode=each.mode)
            machine.addresses = [each.four, each.six]
            machine.wakes_per_hour = 1000
            await machine.create()

    async def state(self, sleeper: Sleeper) -> State:
        """How the house says that it stands."""
        return (await Machine.get(self._context, sleeper.name)).state

    async def stands(self, state: State, *sleepers: Sleeper) -> None:
        """Wait until the house knows that the machines are in this state."""
        async with asyncio.timeout(PATIENCE):
            while [await self.state(each) for each in sleepers] != [state] * len(sleepers):
                await asyncio.sleep(0.1)

    async def wakes(self) -> list[Wake]:
        """Of which it knows."""
        return list(await WakeList.latest(self._context, None, 1000))

    async def start(self) -> None:
        """Start all of the box."""
        await self.broker.start(ready=False)
        await self.conductor.start()
        await self.watcher.start()


@asynccontextmanager
async def house(net: Network, folder: Path, empty: Path) -> AsyncIterator[House]:
    """A house that knows the machines of the network; nothing of it runs yet."""
    shutil.copy(empty, folder / "house.db")
    database = await Database.open(f"sqlite:///{folder}/house.db")
    built = House(net, folder, database)
    try:
        await built.enrol(net.sleepers)
        yield built
    finally:
        await built.end()
        await database.close()
