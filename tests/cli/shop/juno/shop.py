"""A tiny project: items in a table, and agents that are told of them. Release juno: a price is a text."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from midflight import Context, Interface, Project, Runtime, Service, VersionedObject, endpoint

HERE = Path(__file__).parent
metadata = MetaData()
items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("price", String, nullable=False),
    Column("parts", JSON),
)


class Item(VersionedObject, version="1.0"):
    id: int
    price: str


class ShopAPI(Interface, Protocol, topic="shop", version="1.0"):
    @endpoint(since="1.0")
    async def sell(self, context: Context, item: Item) -> str: ...


class Shop(ShopAPI):
    async def sell(self, context: Context, item: Item) -> str:
        return item.price


@asynccontextmanager
async def shop(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """One agent."""
    yield [Shop()]


project = Project(
    "shop",
    objects=[Item],
    interfaces=[ShopAPI],
    services=[Service("shop", shop, agent=True)],
    releases=HERE / "releases",
    schema=HERE / "schema",
    tables=metadata,
)
