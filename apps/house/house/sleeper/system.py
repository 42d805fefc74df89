"""What a sleeper may look at on its machine."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from house.clock import Clock, SystemClock
from house.errors import HouseError
from house.sleeper.logind import Logind


class Unclear(HouseError):
    """It cannot be found out; says why."""


@dataclass(frozen=True)
class System:
    """The machine below ``root``, its clocks, and its login manager."""

    root: Path = Path("/")
    clock: Clock = field(default_factory=SystemClock)
    logind: Logind | None = None

    def read(self, path: str) -> str:
        """A small file of the kernel's. Raises Unclear that names it."""
        try:
            return (self.root / path).read_text()
        except OSError as wrong:
            raise Unclear(f"/{path}: {wrong.strerror}") from None

    def required_logind(self) -> Logind:
        """Raises Unclear where the configuration says that there is none."""
        if self.logind is None:
            raise Unclear("there is no logind here: [app.sleeper] logind = false")
        return self.logind


async def output(command: list[str], seconds: float) -> tuple[int, str]:
    """Run a command to its end: its exit code, and what it wrote to both outputs. Raises Unclear where it cannot be
    run, or takes longer; it and what it started are killed then."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as wrong:
        raise Unclear(f"{command[0]} cannot be run: {wrong.strerror}") from None
    try:
        async with asyncio.timeout(seconds):
            written, _ = await process.communicate()
    except TimeoutError:
        raise Unclear(f"{command[0]} has not ended after {seconds:g} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return process.returncode, written.decode(errors="replace").strip()
