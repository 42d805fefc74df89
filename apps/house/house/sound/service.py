"""The service: what a host with sound plays and sends, as the configuration says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from house.sound import engines
from house.sound.agent import Agent
from house.sound.file import WantedFile
from house.sound.nap import Nap
from house.sound.now_playing import NowPlaying, address
from house.sound.settings import settings
from midflight import Runtime


@asynccontextmanager
async def sound(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service, on this host. It plays what its file says from the first moment; its engines play on afterwards."""
    given = settings(runtime.settings)
    async with AsyncExitStack() as stack:
        file = WantedFile(runtime.state / f"sound-{runtime.host}.json")
        drivers = engines.drivers(given, left=file.read())
        for driver in drivers.values():
            stack.push_async_callback(driver.close)
        nap = Nap(runtime.asleep)
        stack.push_async_callback(nap.end)
        left = {engine: drivers.pop(engine) for engine in [*drivers] if engine not in given.engines}
        mpds = {stream: NowPlaying(address(text)) for stream, text in given.mpd.items()}
        agent = Agent(
            runtime.host, drivers, given.rooms, file, runtime.context, nap, left, mpds, rehearses=given.rehearse
        )
        tasks = [asyncio.create_task(keeper.keep(), name=f"keeper of {keeper.engine}") for keeper in agent.keepers]
        tasks += [asyncio.create_task(mpd.follow(), name=f"MPD at {mpd.address}") for mpd in mpds.values()]
        tasks.append(asyncio.create_task(agent.report_for_ever(), name=f"reports of {agent.host}"))
        stack.push_async_callback(_ended, tasks)
        yield [agent]


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
