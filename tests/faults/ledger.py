"""The project of the fault suite. Whoever runs a piece of work leaves its name behind: an agent in a file, a teller and
a conductor in a row of the database."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, insert

from midflight import Client, Context, Interface, Project, Runtime, Service, VersionedObject, endpoint, remotable

PAUSE = 0.1
"""Seconds between what a piece of work does and its end, in which its process can be killed."""

metadata = MetaData()
entries = Table(
    "entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("at", Float, nullable=False),
)


def enter(connection: Connection, name: str) -> None:
    """One more row; nothing keeps it from being there twice."""
    connection.execute(insert(entries).values(name=name, at=time.monotonic()))


class Entry(VersionedObject, version="1.0"):
    """A change that is made on a conductor."""

    name: str

    @remotable
    async def create(self) -> None:
        """Enter it into the book."""
        await self.context.db.write(enter, self.name)
        await asyncio.sleep(PAUSE)
        self.reset_changes()


class AgentAPI(Interface, Protocol, topic="agent", version="1.0"):
    """Work on one host, without a database."""

    @endpoint(since="1.0")
    async def ask(self, context: Context, name: str) -> str: ...

    @endpoint(since="1.0")
    async def tell(self, context: Context, name: str) -> None: ...


class TellerAPI(Interface, Protocol, topic="teller", version="1.0"):
    """Work on the database, for whichever teller is free."""

    @endpoint(since="1.0")
    async def pay(self, context: Context, name: str) -> str: ...

    @endpoint(since="1.0")
    async def book(self, context: Context, name: str) -> None: ...


class Agent(AgentAPI):
    """Writes ``began NAME TIME`` and ``ended NAME TIME`` into a file of its process's own."""

    def __init__(self, folder: Path, host: str) -> None:
        file = folder / f"{host}.{os.getpid()}"
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def ask(self, context: Context, name: str) -> str:
        return await self._work(name)

    async def tell(self, context: Context, name: str) -> None:
        await self._work(name)

    async def _work(self, name: str) -> str:
        self._note("began", name)
        await asyncio.sleep(PAUSE)
        self._note("ended", name)
        return name

    def _note(self, what: str, name: str) -> None:
        os.write(self._file, f"{what} {name} {time.monotonic()}\n".encode())


class Teller(TellerAPI):
    """Enters a row."""

    async def pay(self, context: Context, name: str) -> str:
        await self._work(context, name)
        return name

    async def book(self, context: Context, name: str) -> None:
        await self._work(context, name)

    async def _work(self, context: Context, name: str) -> None:
        await context.db.write(enter, name)
        await asyncio.sleep(PAUSE)


@asynccontextmanager
async def agent(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """A host."""
    yield [Agent(Path(runtime.settings["facts"]), runtime.host)]


@asynccontextmanager
async def teller(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """A service with a database."""
    yield [Teller()]


@asynccontextmanager
async def sender(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """Who only sends: the suite itself."""
    yield []


AGENTS, TELLERS = Client(AgentAPI), Client(TellerAPI)

project = Project(
    "ledger",
    objects=[Entry],
    interfaces=[AgentAPI, TellerAPI],
    services=[Service("agent", agent, agent=True), Service("teller", teller, database=True), Service("sender", sender)],
    schema=Path(__file__).parent / "schema",
    tables=metadata,
)
