"""The rest of a house: a broker, a conductor, and an agent beside each engine, each a process of its own on the
laboratory's hosts."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from house.objects.hearing import Hearing
from house.objects.patch_bay import PatchBay
from house.playing import Playing
from midflight import Context
from midflight.db.engine import Database
from tests.sound.lab.cards import HERE
from tests.sound.lab.pulse import CARD
from tests.sound.lab.studio import PATIENCE, STATION, Studio, until
from tests.sound.lab.switch import READS_ALL

T = TypeVar("T")
AGENTS = (STATION, "kitchen", "office")
"""Where they are."""
JUKEBOX = "jukebox"
"""The stream that an MPD on the station plays into, where a test has both."""
PROGRAMS = Path(sys.executable).parent
SOURCES = f"{HERE}:{HERE.parents[1] / 'src'}"


class House:
    """Its processes: ``broker`` and ``conductor`` on the station, and the agents, each by its host's name. They are
    started from ``tree``, and can use these ``engines``."""

    def __init__(self, studio: Studio, folder: Path, database: Database, tree: Path = HERE) -> None:
        self.studio, self.folder, self.context = studio, folder, Context(database=database)
        self.tree = tree
        self.engines = ["pulse-rtp", "snapcast"]
        self.running: dict[str, asyncio.subprocess.Process] = {}
        studio.has_agents = True

    async def start(self, *names: str) -> None:
        """Start them."""
        for name in names:
            match name:
                case "broker":
                    store = ["-js", "-sd", str(self.folder / "broker"), "-a", "0.0.0.0", "-p", "4222"]
                    await self._as_root(name, str(PROGRAMS / "nats-server"), *store)
                case "conductor":
                    await self._as_root(name, *self._service("conductor", STATION))
                case _:
                    host = self.studio.hosts[name]
                    command = host.as_user(*self._service("sound", name), privileges=READS_ALL, PYTHONPATH=self._path)
                    await self._run(name, *command)

    async def kill(self, *names: str, how: signal.Signals = signal.SIGKILL) -> None:
        """They end, and nothing that they have started does."""
        for name in names:
            self.running[name].send_signal(how)
            await self.running.pop(name).wait()

    async def replace(self, name: str, *engines: str) -> None:
        """Another agent takes the place of a host's, with these engines in its configuration."""
        self.engines = [*engines]
        await self.kill(name, how=signal.SIGTERM)
        await self.start(name)

    async def tell(self, *command: str, ends: Sequence[int] = (0,)) -> str:
        """What ``house`` says to this, on the station; it ends with one of these exit codes."""
        return await self._command(sys.executable, "-m", "house", *command, ends=ends)

    async def operate(self, *command: str) -> str:
        """What ``midflight`` says to this, on the station."""
        return await self._command(str(PROGRAMS / "midflight"), *command)

    async def _command(self, *command: str, ends: Sequence[int] = (0,)) -> str:
        namespace = self.studio.hosts[STATION].namespace
        done = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", namespace, *command, "--config", str(self._config(STATION)), cwd=self.tree,
            env=self._environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await done.communicate()
        assert done.returncode in ends, f"{' '.join(command)}: {said.decode()}"
        return said.decode()

    async def stand(self, **states: Playing) -> None:
        """Wait until the house knows that its rooms stand like that."""

        async def known() -> dict[str, Playing]:
            return {room: hearing.state for room, hearing in (await self.hearings()).items() if room in states}

        await until(known, states.__eq__, states)

    async def says(self, room: str, **expected: object) -> None:
        """Wait until the house knows that of a room, by the names of ``Hearing``."""

        async def known() -> dict[str, object]:
            hearing = (await self.hearings())[room]
            return {name: getattr(hearing, name) for name in expected}

        await until(known, expected.__eq__, expected)

    async def hearings(self) -> dict[str, Hearing]:
        """What agents have said of the rooms."""
        return {each.player: each for each in (await PatchBay.get(self.context)).hearings}

    async def steady(self, look: Callable[[str], Awaitable[T]], **heard: str) -> dict[str, tuple[int, T]]:
        """What is seen of each host while rooms play these tunes, beside how often its engines have aborted; seen again
        where one did so meanwhile, for then it may not have answered, or not have all of it yet."""
        async with asyncio.timeout(PATIENCE):
            while True:
                aborts = {host: self.studio.aborts(host) for host in AGENTS}
                await self.studio.hear(**heard)
                with suppress(AssertionError):
                    seen = {host: (aborts[host], await look(host)) for host in AGENTS}
                    if aborts == {host: self.studio.aborts(host) for host in AGENTS}:
                        return seen

    async def engine(self, name: str) -> object:
        """What makes an engine the same as before: its processes, what is loaded, and what plays."""
        host = self.studio.hosts[name]
        listed = [await host.run("pactl", "list", "short", what) for what in ("modules", "sink-inputs")]
        return sorted(host.processes("pulseaudio")), [
            line.split("\t")[:3] for each in listed for line in each.splitlines()
        ]

    async def sinks(self, name: str) -> list[str]:
        """Those of a host, each with its number, which no other one has after it."""
        listed = await self.studio.hosts[name].run("pactl", "list", "short", "sinks")
        return [line.split("\t")[0] + line.split("\t")[1] for line in listed.splitlines()]

    async def runs(self, name: str, program: str, *, none: bool = False) -> None:
        """Wait until a host runs a program, or none of it."""

        async def found() -> list[int]:
            return self.studio.hosts[name].processes(program)

        await until(found, lambda those: bool(those) != none, f"{'no ' if none else ''}{program} on {name}")

    def _service(self, service: str, host: str) -> list[str]:
        run = [str(PROGRAMS / "midflight"), "run", service]
        return [*run, "--host", host, "--config", str(self._config(host))]

    def _config(self, name: str) -> Path:
        """The file that one host's processes read."""
        host = self.studio.hosts[name]
        lines = [
            "[midflight]", 'project = "house.project:project"', "beat_seconds = 1",
            f'broker = "nats://{self.studio.hosts[STATION].address}:4222"', f'state = "{host.home}/state"',
        ]  # fmt: skip
        lines += ["[app.sound]", f"engines = {self.engines}"]
        if name == STATION:
            lines += ["[app.sound.mpd]", f'{JUKEBOX} = "{host.home}/{JUKEBOX}/socket"']
        if name in self.studio.cards:
            lines += [f"[app.sound.rooms.{name}]", f'sink = "{CARD}"']
        return host.write("house.toml", "\n".join(lines) + "\n")

    @property
    def _path(self) -> str:
        return f"{self.tree}:{SOURCES}"

    def _environment(self) -> dict[str, str]:
        database = f"sqlite:///{self.folder}/house.db"
        return {**os.environ, "PYTHONPATH": self._path, "MIDFLIGHT_DATABASE": database}

    async def _as_root(self, name: str, *command: str) -> None:
        await self._run(name, "ip", "netns", "exec", self.studio.hosts[STATION].namespace, *command)

    async def _run(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *command, cwd=self.tree, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


@asynccontextmanager
async def house(
    studio: Studio, folder: Path, empty: Path, hosts: Sequence[str], tree: Path = HERE
) -> AsyncIterator[House]:
    """All of it runs, from this tree, with agents on these hosts; no stream is there yet."""
    shutil.copy(empty, folder / "house.db")
    database = await Database.open(f"sqlite:///{folder}/house.db")
    built = House(studio, folder, database, tree)
    try:
        await built.start("broker", "conductor", *hosts)
        await built.stand(**{host: Playing.SILENT for host in hosts if host != STATION})
        yield built
    finally:
        for process in built.running.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        await database.close()
