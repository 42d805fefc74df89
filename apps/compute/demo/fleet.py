"""The supervisor: starts and stops the fleet's processes, as systemd would on many hosts.

Each service runs from its release's own tree, with a configuration file and a log file of its own, and knows nothing of
this module. Members have names (``api-1``, ``agent-3``); one member may be several processes, one after the other, or
for a moment two at once: the new one is started first and the old one stopped when it is ready.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from demo import proc
from demo.raw import Journal, Tail

READY_WITHIN = 40.0
"""Seconds a process may take from its start to ``service.ready``; a busy machine of one core needs some."""

GONE_WITHIN = 40.0
"""Seconds a process may take from SIGTERM to its exit; it drains for up to 20 s."""


class FleetBroken(Exception):
    """A process did not do what was asked of it; the message says which, and ends with its last words."""


@dataclass(eq=False)
class Running:
    """One process of a member."""

    name: str
    service: str
    release: str
    process: asyncio.subprocess.Process
    log: Path
    since: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    def broken(self, what: str) -> FleetBroken:
        """The error that says what it did instead, and ends with the end of its log."""
        last_words = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
        return FleetBroken(f"{self.name} ({self.release}) {what}:\n{last_words}")


class Fleet:
    """All service processes of one run. ``journal`` is the raw file of what was done to them."""

    def __init__(self, trees: dict[str, Path], run: Path, journal: Journal, listening: socket.socket) -> None:
        self._trees, self._run, self._journal, self._listening = trees, run, journal, listening
        self._numbers: Counter[str] = Counter()
        self.members: dict[str, Running] = {}
        self._leaving: set[Running] = set()
        (run / "logs").mkdir(parents=True, exist_ok=True)

    def config(self, name: str) -> Path:
        """The member's configuration file, which is there before it is started; both releases read the same."""
        return self._run / "config" / f"{name}.toml"

    async def start(self, name: str, service: str, release: str) -> Running:
        """Start a process of this member from the release's tree, and wait until it says ``service.ready``."""
        running = await self._spawn(name, service, release)
        self._journal.write(event="started", name=name, service=service, release=release, pid=running.pid)
        self._leaving.add(running)  # until it is ready it is nobody's member, but must not be left behind
        await self._until_ready(running)
        self._leaving.discard(running)
        self.members[name] = running
        self._journal.write(
            event="ready",
            name=name,
            service=service,
            release=release,
            pid=running.pid,
            log=running.log.name,
            cwd=proc.working_directory(running.pid),
            tree=str(self._trees[release]),
        )
        return running

    async def _spawn(self, name: str, service: str, release: str) -> Running:
        self._numbers[name] += 1
        log = self._run / "logs" / f"{name}.{self._numbers[name]}.{release}.jsonl"
        command = [str(midflight()), "run", service, "--host", name, "--config", str(self.config(name))]
        inherited: tuple[int, ...] = ()
        if service == "api":
            inherited = (self._listening.fileno(),)
            command = [sys.executable, "-I", str(Path(__file__).with_name("launch.py")), str(inherited[0]), *command]
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._trees[release],
                env=environment(self._trees[release]),
                pass_fds=inherited,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return Running(name, service, release, process, log)

    async def _until_ready(self, running: Running) -> None:
        tail = Tail(running.log)
        deadline = time.monotonic() + READY_WITHIN
        while not any(line.get("event") == "service.ready" for line in tail.fresh()):
            if running.process.returncode is not None:
                raise running.broken(f"exited with {running.process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise running.broken(f"was not ready within {READY_WITHIN} s")
            await asyncio.sleep(0.02)

    async def stop(self, running: Running, terminate: Callable[[int], Awaitable[float]] | None = None) -> None:
        """SIGTERM, and wait for its clean exit. ``terminate`` sends the signal in a moment of its own choice, and
        returns when that was."""
        self._forget(running)
        self._leaving.add(running)
        told = await (terminate or _at_once)(running.pid)
        self._journal.write(event="sigterm", t=told, name=running.name, release=running.release, pid=running.pid)
        try:
            code = await asyncio.wait_for(running.process.wait(), GONE_WITHIN)
        except TimeoutError:
            raise running.broken(f"was not gone {GONE_WITHIN} s after SIGTERM") from None
        self._leaving.discard(running)
        self._journal.write(event="exited", name=running.name, release=running.release, pid=running.pid, code=code)
        if code != 0:
            raise running.broken(f"exited with {code}, not 0")

    async def kill(self, running: Running) -> None:
        """SIGKILL: no farewell."""
        self._forget(running)
        running.process.kill()
        code = await running.process.wait()
        self._journal.write(event="killed", name=running.name, release=running.release, pid=running.pid, code=code)

    def _forget(self, running: Running) -> None:
        if self.members.get(running.name) is running:
            del self.members[running.name]

    def described(self) -> str:
        """Every member with its release, in one line."""
        return "  ".join(f"{name} {running.release}" for name, running in sorted(self.members.items()))

    async def end(self) -> None:
        """Stop everything that still runs; what does not go within 5 s is killed."""
        rest = [r for r in (*self.members.values(), *self._leaving) if r.process.returncode is None]
        for running in rest:
            running.process.terminate()
        try:
            async with asyncio.timeout(5):
                await asyncio.gather(*(running.process.wait() for running in rest))
        except TimeoutError:
            await self._kill_all(rest)

    async def _kill_all(self, stubborn: list[Running]) -> None:
        for running in stubborn:
            if running.process.returncode is None:
                running.process.kill()
            await running.process.wait()


async def _at_once(pid: int) -> float:
    os.kill(pid, signal.SIGTERM)
    return time.monotonic()


def midflight() -> Path:
    """The command, of the environment that runs this demo."""
    return Path(sys.executable).with_name("midflight")


def environment(tree: Path) -> dict[str, str]:
    """What a process of this release may see: its own tree, and nothing of the other's. Bytecode is kept: a fleet that
    is restarted a dozen times under load has better things to do than to compile."""
    foreign = ("MIDFLIGHT_", "LISTEN_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": str(tree)}
