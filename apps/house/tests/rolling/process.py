"""A host of services, as the test that started it sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

HOST = Path(__file__).with_name("host.py")
SECONDS = 120


class HostProcess:
    """One process, in the tree of one release."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def running(cls, tree: Path, log: Path, slept: Path) -> AsyncIterator[Self]:
        environment = {**os.environ, "SLEPT": str(slept)}
        environment["PYTHONPATH"] = os.pathsep.join([str(tree), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with log.open("w") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(HOST), cwd=tree, env=environment, stdin=PIPE, stdout=PIPE, stderr=errors,
                limit=1 << 20,
            )  # fmt: skip
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def do(self, what: str, **arguments: str) -> Any:
        """What it answers. Raises AssertionError with its error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        async with asyncio.timeout(SECONDS):
            while not (line := await self._process.stdout.readline()).startswith(b'{"'):
                assert line, f"{what}: the process has ended"
        answer = json.loads(line)
        assert "wrong" not in answer, f"{what} {arguments}: {answer['wrong']}"
        return answer["done"]

    async def until(self, config: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Look until it holds."""
        async with asyncio.timeout(SECONDS):
            while not holds(found := await self.do("look", config=config)):
                await asyncio.sleep(0.1)
        return found

    def freeze(self) -> None:
        """As suspended: it neither runs nor answers, until ``thaw``."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)
