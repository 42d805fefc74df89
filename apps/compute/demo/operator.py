"""The operator: says midflight's own commands, and keeps what they said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.fleet import environment, midflight
from demo.raw import Journal

COMMAND_WITHIN = 90.0
"""Seconds after which a command is given up."""


class Refused(Exception):
    """A command of midflight said no, or failed; the message holds its exit code, and its words were said already."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command did."""

    code: int
    lines: list[str]


class Operator:
    """Runs commands from a release's tree. Each goes to the raw file ``commands.jsonl``; ``say`` gets every line."""

    def __init__(self, trees: dict[str, Path], config: Path, journal: Journal, say: Callable[[str], None]) -> None:
        self._trees, self._config, self._journal, self._say = trees, config, journal, say
        self._heard: list[str] = []

    def heard(self, words: str) -> bool:
        """Whether any command has said this."""
        return any(words in line for line in self._heard)

    async def command(self, *words: str, release: str, accept: tuple[int, ...] = (0,)) -> Outcome:
        """Run ``midflight WORDS`` in a release's tree. Raises Refused for an exit code that is not acceptable."""
        start = time.monotonic()
        self._say(f"{release}$ midflight {' '.join(words)}")
        outcome = await self._run(words, release)
        self._journal.write(
            t=round(start, 4),
            seconds=round(time.monotonic() - start, 2),
            words=words,
            release=release,
            code=outcome.code,
            lines=outcome.lines,
        )
        if outcome.code != 0:
            self._say(f"  exit code {outcome.code}")
        if outcome.code not in accept:
            raise Refused(f"midflight {' '.join(words)} exited with {outcome.code}")
        return outcome

    async def _run(self, words: tuple[str, ...], release: str) -> Outcome:
        tree = self._trees[release]
        process = await asyncio.create_subprocess_exec(
            *(str(midflight()), *words, "--config", str(self._config)),
            cwd=tree,
            env=environment(tree),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout
        try:
            async with asyncio.timeout(COMMAND_WITHIN):
                lines = [self._hear(line) async for line in process.stdout]
                return Outcome(await process.wait(), lines)
        except TimeoutError:
            raise Refused(f"midflight {' '.join(words)} did not end within {COMMAND_WITHIN} s") from None
        finally:
            await _end(process)

    def _hear(self, line: bytes) -> str:
        text = line.decode(errors="replace").rstrip()
        self._heard.append(text)
        self._say(f"  {text}")
        return text


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
