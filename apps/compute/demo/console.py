"""The console: the fleet of a run in a browser, from a copy of the release that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.fleet import FleetBroken, environment, midflight

SAID = "console: "
"""What stands before its address in what it says."""
STARTED_WITHIN = 40.0
ENDED_WITHIN = 10.0
"""Seconds."""


@dataclass(eq=False)
class Console:
    """A console that listens at ``url``, on a free port of this machine."""

    process: asyncio.subprocess.Process
    url: str

    @classmethod
    async def start(cls, tree: Path, config: Path, log: Path, listen: str) -> Console:
        """Start it from a release's tree, and wait until it listens; ``log`` takes what it logs. Raises FleetBroken."""
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *(str(midflight()), "console", "--listen", listen, "--config", str(config)),
                cwd=tree, env=_plain(environment(tree)), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=out, start_new_session=True,
            )  # fmt: skip
        assert process.stdout
        line = ""
        try:
            async with asyncio.timeout(STARTED_WITHIN):
                line = (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            pass
        if not line.startswith(SAID):
            await _end(process)
            raise FleetBroken(f"the console did not listen:\n{log.read_text(errors='replace')[-2000:]}")
        return cls(process, line.removeprefix(SAID))

    async def end(self) -> None:
        """SIGTERM; SIGKILL if that is not enough."""
        await _end(self.process)


def _plain(given: Mapping[str, str]) -> dict[str, str]:
    """Whatever is written by a process goes out at once, also into a pipe."""
    return {**given, "PYTHONUNBUFFERED": "1"}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), ENDED_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()
