"""A tiny project: items in a table, and agents that are told of them. Release kilo: a price has cents as well."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from midflight import (
    Context,
    Deferred,
    Interface,
    Project,
    Row,
    RowContext,
    Runtime,
    Service,
    VersionedObject,
    data_migration,
    endpoint,
    field,
)

HERE = Path(__file__).parent
metadata = MetaData()
items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("price", String, nullable=False),
    Column("parts", JSON),
    Column("cents", Integer),
)


class Item(VersionedObject, version="1.1"):
    id: int
    price: str
    cents: int | None = field(since="1.1", default=None)


class ShopAPI(Interface, Protocol, topic="shop", version="1.1"):
    @endpoint(since="1.0")
    async def sell(self, context: Context, item: Item) -> str: ...

    @endpoint(since="1.1")
    async def refund(self, context: Context, item: Item) -> str: ...


class Shop(ShopAPI):
    async def sell(self, context: Context, item: Item) -> str:
        return item.price

    async def refund(self, context: Context, item: Item) -> str:
        return item.price


@data_migration(release="kilo", table="items", key="id", todo="cents IS NULL")
def prices_become_cents(row: Row, db: RowContext) -> Mapping[str, Any]:
    """A price on request waits until somebody asks."""
    if row.price == "ask":
        raise Deferred("on request")
    return {"cents": round(float(row.price) * 100)}


@asynccontextmanager
async def shop(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """One agent."""
    yield [Shop()]


project = Project(
    "shop",
    objects=[Item],
    interfaces=[ShopAPI],
    services=[Service("shop", shop, agent=True)],
    migrations=[prices_become_cents],
    releases=HERE / "releases",
    schema=HERE / "schema",
    tables=metadata,
)
