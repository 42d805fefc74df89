"""A tiny project: an api that tells agents what to do, and conductors that know the machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, Self

from midflight.context import Context
from midflight.objects.base import VersionedObject
from midflight.objects.remote import remotable
from midflight.project import Project, Runtime, Service
from midflight.rpc.client import Client
from midflight.rpc.interface import Interface, endpoint

DONE: list[tuple[str, str]] = []
"""What agents did, by host."""


class Machine(VersionedObject, version="1.0"):
    name: str

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        return cls(name=name, context=context)


class ComputeAPI(Interface, Protocol, topic="compute", version="1.0"):
    @endpoint(since="1.0", allow=["conductor", "api"])
    async def reboot(self, context: Context, name: str, seconds: float = 0.0) -> str: ...

    @endpoint(since="1.0", allow=["conductor", "api"])
    async def start(self, context: Context, name: str) -> None: ...

    @endpoint(since="1.0", allow=["conductor", "api"])
    async def look(self, context: Context, name: str) -> str: ...


class Agent(ComputeAPI):
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def reboot(self, context: Context, name: str, seconds: float = 0.0) -> str:
        await asyncio.sleep(seconds)
        return f"{name} on {self._runtime.host}"

    async def start(self, context: Context, name: str) -> None:
        DONE.append((self._runtime.host, name))
        if name == "flaky" and DONE.count((self._runtime.host, name)) < 2:
            raise RuntimeError("once")

    async def look(self, context: Context, name: str) -> str:
        """An agent asks a conductor meanwhile."""
        return (await Machine.get(context, name)).name


@asynccontextmanager
async def compute(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Agent(runtime)]


@asynccontextmanager
async def api(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield []


COMPUTE = Client(ComputeAPI)

project = Project(
    "cloud",
    objects=[Machine],
    interfaces=[ComputeAPI],
    services=[Service("api", api), Service("compute", compute, agent=True)],
)
