"""Whether an engine's programs are what it needs: they are asked before they are used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from subprocess import DEVNULL, PIPE

from house.sound.errors import EngineDead, EngineError

REFUSED_SECONDS = 30.0
"""So long programs that cannot do are not asked again."""
ANSWER_SECONDS = 60.0
"""So long one may take to say what it is: GStreamer looks at all of its plugins, the first time."""


class Fitness:
    """Of one engine on this host. ``ask`` raises EngineError where it cannot do; where it can, it is asked once."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._is_fit = False
        self._refusal: tuple[float, EngineError] | None = None

    async def check(self) -> None:
        """Raises what ``ask`` did, lately or now."""
        if self._is_fit:
            return
        if self._refusal is not None and time.monotonic() - self._refusal[0] < REFUSED_SECONDS:
            raise self._refusal[1].with_traceback(None)
        try:
            await self._ask()
        except EngineError as wrong:
            self._refusal = time.monotonic(), wrong
            raise
        self._is_fit = True


async def told(engine: str, *command: str) -> str | None:
    """What a program writes; None where it ends with an error. Raises EngineDead, in the name of its ``engine``."""
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise EngineDead(engine, f"it has not said what it is for {ANSWER_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return None if process.returncode else said.decode(errors="replace")


def numbers(version: str) -> list[int]:
    """Of ``1.22``: by which of two is older."""
    return [int(number) for number in version.split(".")]
