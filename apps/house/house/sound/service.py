"""The service: what a host with sound plays and sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from house.interfaces import SoundAPI
from house.objects.hearing import Hearing, Sending
from house.objects.wiring import SoundHost, Wiring
from midflight import Context, Runtime


class Sound(SoundAPI):
    """An agent that has no engine: it says so, and its rooms are silent."""

    def __init__(self, host: str) -> None:
        self.host = host

    async def report(self, context: Context) -> None:
        await Wiring.report(context, SoundHost(name=self.host, troubles=("it has no engine",)), [], [])

    async def hearings(self, context: Context) -> list[Hearing]:
        return []

    async def sendings(self, context: Context) -> list[Sending]:
        return []

    async def changed(self, context: Context) -> None:
        await self.report(context)


@asynccontextmanager
async def sound(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service, on this host."""
    agent = Sound(runtime.host)
    await agent.report(runtime.context())
    yield [agent]
