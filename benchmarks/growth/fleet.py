"""The application that is measured: agents that are told things, and rows that a conductor reads for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select

from midflight import (
    Context,
    Interface,
    Project,
    Runtime,
    Service,
    VersionedObject,
    endpoint,
    from_row,
    remotable,
)

metadata = MetaData()
machines = Table("machines", metadata, Column("name", String(40), primary_key=True), Column("boots", Integer))

NAMES = [f"machine-{number}" for number in range(100)]


class Machine(VersionedObject, version="1.0"):
    name: str
    boots: int

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        return from_row(cls, await context.db.read(_row, name), context=context)


def _row(connection: Connection, name: str) -> Any:
    return connection.execute(select(machines).where(machines.c.name == name)).mappings().one()


def fill(connection: Connection) -> None:
    """Make the table and its rows."""
    metadata.create_all(connection)
    connection.execute(insert(machines), [{"name": name, "boots": 0} for name in NAMES])


class AgentAPI(Interface, Protocol, topic="agent", version="1.0"):
    @endpoint(since="1.0")
    async def tell(self, context: Context, number: int) -> None: ...


class Told:
    """What all agents of this process have been told: how often, and a word when it is often enough."""

    def __init__(self) -> None:
        self._left, self._enough = 0, asyncio.Event()

    def expect(self, times: int) -> asyncio.Event:
        """Set when they have been told so many times more."""
        self._left, self._enough = times, asyncio.Event()
        return self._enough

    def once(self) -> None:
        """One of them was."""
        self._left -= 1
        if self._left == 0:
            self._enough.set()


told = Told()


class Agent(AgentAPI):
    """Counts what it is told."""

    async def tell(self, context: Context, number: int) -> None:
        told.once()


@asynccontextmanager
async def run(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """An agent."""
    yield [Agent()]


@asynccontextmanager
async def run_caller(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """Somebody who tells them things."""
    yield []


project = Project(
    "growth",
    objects=[Machine],
    interfaces=[AgentAPI],
    services=[Service("agent", run, agent=True), Service("caller", run_caller)],
)
