"""The processes of a fleet: started, killed, frozen and thawed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from midflight.transports.embedded import _until_we_die

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
READY_SECONDS, GONE_SECONDS = 240.0, 90.0
"""A busy machine needs some."""


@dataclass
class Member:
    """One member of the fleet, which may be several processes, one after the other. ``config`` is its configuration
    file, ``before`` stands before its command, ``more`` is in its environment."""

    service: str
    host: str
    config: Path
    log: Path
    more: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    killed: dict[int, float] = field(default_factory=dict)
    """When, by time.monotonic(), processes of it had no time to finish, by their ids."""
    _process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-m", "tests.faults.member", "run", self.service, "--host", self.host]
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *_until_we_die(), *self.before, *command, "--config", str(self.config),
                cwd=ROOT, env={**ENVIRONMENT, **self.more},
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        async with asyncio.timeout(READY_SECONDS):
            while b"service.ready" not in (said := self.log.read_bytes()[begin:]):
                assert self._process.returncode is None, said.decode(errors="replace")[-3000:]
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Make an end of it at once."""
        assert self._process is not None
        self.killed[self.pid] = time.monotonic()
        self._process.kill()
        await self._process.wait()

    def freeze(self) -> None:
        """It keeps its connections, and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self.pid, signal.SIGCONT)

    async def heal(self) -> None:
        """Whatever was done to it, it works again."""
        if self._process is None or self._process.returncode is not None:
            await self.start()
        self.thaw()

    async def end(self) -> None:
        """Let it finish and leave; one that cannot is killed."""
        if self._process is None or self._process.returncode is not None:
            return
        self.thaw()
        self._process.terminate()
        try:
            async with asyncio.timeout(GONE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
