"""The rest of the house, on the watcher's box: a broker, a conductor with its database, and the watcher as a service,
each a process of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from house.objects.machine import Machine
from house.objects.wake import Wake, WakeList
from house.states import State
from midflight import Context
from midflight.db.engine import Database
from tests.lab.network import Network, Sleeper
from tests.lab.watching import HERE, PATIENCE

PROGRAMS = Path(sys.executable).parent
_PASS = """
import os, sys
for number, given in enumerate(sys.argv[1].split(",")):
    os.dup2(int(given), 3 + number)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Puts the sockets where a supervisor does, and becomes the program."""


class House:
    """Its processes, and what it knows."""

    def __init__(self, net: Network, folder: Path, database: Database) -> None:
        self.net, self.folder, self._context = net, folder, Context(database=database)
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.kept: list[socket.socket] = []
        """What the watcher had kept, as systemd does."""
        self._supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._supervisor.bind(str(folder / "notify"))
        self._supervisor.setblocking(False)

    async def enrol(self, sleepers: Sequence[Sleeper]) -> None:
        """These are its machines."""
        for each in sleepers:
            machine = Machine(context=self._context, name=each.name, mac=str(each.mac), mode=each.mode)
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

    async def start(self, *names: str) -> None:
        """Start the broker, a conductor, or a watcher."""
        for name in names:
            await {"broker": self._broker, "conductor": self._conductor, "watcher": self._watcher}[name]()

    async def kill(self, *names: str) -> None:
        """They end at once."""
        for name in names:
            self.running[name].kill()
            await self.running.pop(name).wait()

    async def stop(self, name: str) -> None:
        """It ends as it wants to."""
        self.running[name].send_signal(signal.SIGTERM)
        assert await self.running.pop(name).wait() == 0

    async def _broker(self) -> None:
        store = str(self.folder / "broker")
        await self._run("broker", str(PROGRAMS / "nats-server"), "-js", "-sd", store, "-a", "127.0.0.1", "-p", "4222")

    async def _conductor(self) -> None:
        await self._run(
            "conductor", *self._command("conductor"), MIDFLIGHT_DATABASE=f"sqlite:///{self.folder}/house.db"
        )

    async def _watcher(self) -> None:
        """With what was kept for it; returns when it is ready."""
        kept, self.kept = self.kept, []
        await self._run("watcher", *self._command("watcher"), sockets=kept, NOTIFY_SOCKET=str(self.folder / "notify"))
        for each in kept:
            each.close()
        async with asyncio.timeout(PATIENCE):
            while self._told() != b"READY=1":
                await asyncio.sleep(0.02)

    async def stop_watcher(self) -> None:
        """It ends as it wants to; what it had kept is kept for the next one."""
        await self.stop("watcher")
        while self._told() is not None:
            pass

    def _told(self) -> bytes | None:
        """What the watcher tells its supervisor next, of what waits."""
        try:
            said, descriptors, _, _ = socket.recv_fds(self._supervisor, 1000, 8)
        except BlockingIOError:
            return None
        for descriptor in descriptors:
            if os.fstat(descriptor).st_ino in {os.fstat(each.fileno()).st_ino for each in self.kept}:
                os.close(descriptor)  # it is kept already
            else:
                self.kept.append(socket.socket(fileno=descriptor))
        return said

    def _command(self, service: str) -> list[str]:
        return [
            str(PROGRAMS / "midflight"),
            "run",
            service,
            "--host",
            "box",
            "--config",
            str(self.folder / "house.toml"),
        ]

    async def _run(self, name: str, *command: str, sockets: Sequence[socket.socket] = (), **more: str) -> None:
        environment = {**os.environ, **more}
        given = list(command)
        if sockets:  # they are to be 3, 4, …
            environment["LISTEN_FDS"] = str(len(sockets))
            given = [sys.executable, "-c", _PASS, ",".join(str(each.fileno()) for each in sockets), *command]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                "ip", "netns", "exec", self.net.watcher, *given, cwd=HERE, env=environment,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=[each.fileno() for each in sockets],
            )  # fmt: skip

    async def end(self) -> None:
        """All of it ends."""
        for process in self.running.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        for each in (self._supervisor, *self.kept):
            each.close()


@asynccontextmanager
async def house(net: Network, folder: Path, empty: Path) -> AsyncIterator[House]:
    """A house that knows the machines of the network; nothing of it runs yet."""
    shutil.copy(empty, folder / "house.db")
    (folder / "house.toml").write_text(
        '[midflight]\nproject = "house.project:project"\nbroker = "nats://127.0.0.1:4222"\n'
        f'state = "{folder}/state"\nbeat_seconds = 1\n'
    )
    database = await Database.open(f"sqlite:///{folder}/house.db")
    built = House(net, folder, database)
    try:
        await built.enrol(net.sleepers)
        yield built
    finally:
        await built.end()
        await database.close()
