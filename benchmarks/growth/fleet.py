"""The application that is measured: agents that are told things, and rows that a conductor reads for them."""

from __future__ import annotations

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


class Agent(AgentAPI):
    """Counts what it is told."""

    told = 0
    """By all agents of this process."""

    async def tell(self, context: Context, number: int) -> None:
        Agent.told += 1


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
