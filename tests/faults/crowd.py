"""Many members in one process, which call each other all the time: ``python -m tests.faults.crowd URL TOTAL FILE``.

Into the file goes, twice a second, since when all of them have been answered, by time.monotonic().
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from midflight.errors import BrokerUnreachable
from midflight.transports import connect
from midflight.transports.base import Address, Identity, NoAnswer, NobodyListens, Transport
from tests.transports.recorder import Recorder

AT_ONCE = 10
"""So many join at once: they come back by themselves, but the first time each has three seconds."""

PAUSE_SECONDS = 1.0
CALL_SECONDS = 2.0


async def main(url: str, total: int, file: Path) -> None:
    """Runs until it is killed."""
    turns = asyncio.Semaphore(AT_ONCE)
    everyone = await asyncio.gather(*(_opened(url, number, turns) for number in range(total)))
    await Recorder().listen(everyone[0], "crowd", "h1")
    answered = dict.fromkeys(range(total), 0.0)
    async with asyncio.TaskGroup() as group:
        for number, member in enumerate(everyone):
            group.create_task(_call_for_ever(member, number, answered))
        group.create_task(_write(answered, file))


async def _opened(url: str, number: int, turns: asyncio.Semaphore) -> Transport:
    identity = Identity("crowd", f"h{number}")
    async with turns:
        while True:
            try:
                return await connect(url, name=f"crowd-{number}", project="crowd", identity=identity).open()
            except BrokerUnreachable:
                await asyncio.sleep(PAUSE_SECONDS)  # a busy machine may need longer than the three seconds of a start


async def _call_for_ever(member: Transport, number: int, answered: dict[int, float]) -> None:
    while True:
        begun = time.monotonic()
        try:
            await member.call(Address("crowd", "h1"), b"hello", CALL_SECONDS)
            answered[number] = time.monotonic()
        except (NoAnswer, NobodyListens):
            pass  # until it is answered again, the file says so
        await asyncio.sleep(begun + PAUSE_SECONDS - time.monotonic())


async def _write(answered: dict[int, float], file: Path) -> None:
    fresh = file.with_suffix(".new")
    while True:
        fresh.write_text(str(min(answered.values())))
        fresh.replace(file)
        await asyncio.sleep(PAUSE_SECONDS / 2)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
