"""The road's handle on the load client, which is a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any


class LoadBroken(Exception):
    """The load client could not do what it was told."""


class Loader:
    """One load client. Its commands are the public methods of ``traffic.Traffic``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._turn = process, asyncio.Lock()

    @classmethod
    async def start(cls, port: int, raw_log: Path) -> Loader:
        """Start it, idle."""
        home = Path(__file__).parent.parent
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "demo.load", str(port), str(raw_log)),
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(home)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    async def do(self, command: str, **arguments: Any) -> Any:
        """Say one command and wait until it is done; what it returned. Raises LoadBroken. Where the caller is cancelled
        the command is done all the same, and the next one waits for that."""
        line = await asyncio.shield(self._ask({"do": command, **arguments}))
        answer = json.loads(line) if line else {"failed": "the load client has ended"}
        if "failed" in answer:
            raise LoadBroken(f"{command}: {answer['failed']}")
        return answer["done"]

    async def _ask(self, command: dict[str, Any]) -> bytes:
        """The line that answers this command. An answer that was left in the pipe would be the next command's."""
        async with self._turn:
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin
            assert stdout
            stdin.write(json.dumps(command).encode() + b"\n")
            await stdin.drain()
            return await stdout.readline()

    async def end(self) -> None:
        """Let it finish what is under way, and end."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
