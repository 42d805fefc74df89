"""A store in two releases: clerks put crates away, and a desk tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from midflight.context import Context
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.project import Project, Runtime, Service
from midflight.rpc.client import Client
from midflight.rpc.interface import Interface, endpoint
from midflight.upgrade.freeze import freeze

JunoCrate: Any = type(VersionedObject)(
    "Crate", (VersionedObject,), {"__annotations__": {"number": int}, "__module__": __name__}, version="1.0"
)


class Crate(VersionedObject, version="1.1"):
    number: int
    label: str = field(default="", since="1.1")


class JunoClerkAPI(Interface, Protocol, topic="clerk", version="1.0"):
    @endpoint(since="1.0")
    async def put(self, context: Context, crate: JunoCrate) -> str: ...

    @endpoint(since="1.0")
    async def work(self, context: Context) -> None: ...


class ClerkAPI(Interface, Protocol, topic="clerk", version="1.1"):
    @endpoint(since="1.0")
    async def put(self, context: Context, crate: Crate) -> str: ...

    @endpoint(since="1.0")
    async def work(self, context: Context) -> None: ...

    @endpoint(since="1.1")
    async def fetch(self, context: Context) -> Crate: ...


CLERKS = Client(ClerkAPI)


class Clerk(ClerkAPI):
    """``work`` takes until ``done`` is set."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.crates: list[Crate] = []
        self.begun, self.done = asyncio.Event(), asyncio.Event()

    async def put(self, context: Context, crate: Crate) -> str:
        self.crates.append(crate)
        return f"{self.host} has {crate.number} {crate.label}".strip()

    async def work(self, context: Context) -> None:
        self.begun.set()
        await self.done.wait()

    async def fetch(self, context: Context) -> Crate:
        return self.crates[-1]


@asynccontextmanager
async def run_clerk(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield [Clerk(runtime.host)]


@asynccontextmanager
async def run_desk(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    yield []


def store(folder: Path) -> Project:
    """Kilo; juno is frozen in the folder."""
    freeze(Project("store", objects=[JunoCrate], interfaces=[JunoClerkAPI], releases=folder), "juno")
    services = [Service("clerk", run_clerk, agent=True), Service("desk", run_desk)]
    return Project("store", objects=[Crate], interfaces=[ClerkAPI], services=services, releases=folder)
