"""Programs that carry streams beside PulseAudio. They play on without us, and whoever comes next knows them by their
arguments."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from house.sound.errors import EngineError, NoEngine
from house.sound.pulse import detached
from house.sound.pulse.modules import Program, Running

SOON = 5.0
"""Seconds: one that has ended by itself within them is likely to do so again."""
AGAIN_SECONDS = 1.0
"""So long such a one is not started again."""
END_SECONDS = 2.0
"""So long one has for ending when it is asked to."""


class Programs:
    """Those of one user, for whom they are started by ``run`` (nothing, where we are that user). They find PulseAudio
    at ``address``, as in PULSE_SERVER. ``packages`` says where each of the programs is from, and ``ends`` what they say
    by their exit codes: what they write is read by nobody."""

    def __init__(
        self,
        packages: dict[str, str],
        address: str | None = None,
        run: Sequence[str] = (),
        user: int | None = None,
        ends: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self._packages, self._run, self._ends = packages, run, ends
        self._user = os.getuid() if user is None else user
        self._environment = os.environ if address is None else {**os.environ, "PULSE_SERVER": address}
        self._begun: dict[Program, tuple[subprocess.Popen[bytes], float]] = {}
        self._failing: dict[Program, int] = {}
        """Those that have ended as soon as they were started, and their exit codes."""
        self._watched: dict[Running, int] = {}
        self._over: set[Program] = set()
        self._ended = asyncio.Event()

    def found(self, ours: Callable[[Program], bool]) -> list[Running]:
        """What runs of ours. One that was begun just now may not have its own name yet, and its children may have it
        for a moment."""
        if not self._packages:
            return []
        begun = {process.pid: program for program, (process, _) in self._begun.items()}
        for process in Path("/proc").iterdir():
            if process.name.isdecimal() and (program := self._program(process)) and ours(program):
                begun[int(process.name)] = program
        return [Running(program, process) for process, program in begun.items() if _parent(process) not in begun]

    def _program(self, process: Path) -> Program | None:
        try:
            if process.stat().st_uid != self._user:
                return None
            return Program(tuple((process / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]))
        except OSError:
            return None  # it has ended meanwhile

    async def start(self, program: Program) -> None:
        """Start one, and leave it running. Raises NoEngine."""
        name = program.arguments[0]
        if shutil.which(name) is None:
            raise NoEngine(name, self._packages.get(name, name))
        process = detached.start([*self._run, *program.arguments], self._environment)
        self._begun[program] = process, time.monotonic()
        self.watch([*self._watched, Running(program, process.pid)])

    async def stop(self, running: Running) -> None:
        """End one, and wait for that. Raises EngineError where it cannot be ended."""
        self.watch([each for each in self._watched if each != running])
        begun, _ = self._begun.pop(running.program, (None, 0.0))
        ours = begun if begun is not None and begun.pid == running.process else None
        if ours is not None and ours.poll() is not None:
            return  # it has ended meanwhile
        try:
            descriptor = os.pidfd_open(running.process)
        except ProcessLookupError:
            return
        try:
            if ours is None and self._program(Path(f"/proc/{running.process}")) != running.program:
                return  # its number is another one's by now
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not await _ends(descriptor):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                await _ends(descriptor)
            if ours is not None:
                ours.poll()  # until it is asked it is a zombie, which is no process any more
        except ProcessLookupError:
            pass  # it has ended meanwhile
        except OSError as wrong:
            raise EngineError(f"process {running.process}: {wrong}") from None
        finally:
            os.close(descriptor)

    # Those that end by themselves.

    def watch(self, those: Iterable[Running]) -> None:
        """Have the end of these stir, and of no others."""
        wanted, loop = set(those), asyncio.get_running_loop()
        for running in self._watched.keys() - wanted:
            self._forget(running)
        for running in wanted - self._watched.keys():
            try:
                self._watched[running] = os.pidfd_open(running.process)
            except ProcessLookupError:
                self._has_ended(running)
            else:
                loop.add_reader(self._watched[running], self._has_ended, running)

    def _forget(self, running: Running) -> None:
        descriptor = self._watched.pop(running, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def _has_ended(self, running: Running) -> None:
        self._forget(running)
        self._failing.pop(running.program, None)
        process, at = self._begun.get(running.program, (None, 0.0))
        if process is not None and process.pid == running.process:
            code = process.wait()  # at once, since it has ended
            del self._begun[running.program]
            if time.monotonic() - at < SOON:
                self._failing[running.program] = code
        self._over.add(running.program)
        self._ended.set()

    def ended(self) -> bool:
        """Whether one has ended by itself since this was asked last."""
        ended = self._ended.is_set()
        self._ended.clear()
        self._over.clear()
        return ended

    async def stirred(self) -> None:
        """Wait for that, and a while longer where only such have ended as will do so again."""
        await self._ended.wait()
        if self._over <= self._failing.keys():
            await asyncio.sleep(AGAIN_SECONDS)

    def failure(self, program: Program) -> str:
        """Why nothing of it is heard, where it ends as soon as it is started."""
        _, at = self._begun.get(program, (None, math.inf))
        if program not in self._failing or time.monotonic() - at > SOON:
            return ""
        code = self._failing[program]
        why = f"for {self._ends[code]}" if code in self._ends else f"with exit code {code}"
        return f"{program.arguments[0]} ends as soon as it is started, {why}: {' '.join(program.arguments)}"

    def close(self) -> None:
        """Let go of them."""
        self.watch([])


def _parent(process: int) -> int | None:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


async def _ends(descriptor: int) -> bool:
    """Whether the process ends in time."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(END_SECONDS):
            await ended.wait()
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
