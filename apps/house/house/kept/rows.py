"""What every object does with its rows. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from house.errors import AlreadyExists, NotFound

Row = Mapping[str, Any]
"""Column → value."""


def utc(time: datetime) -> datetime:
    """A time of a row, which is kept without its zone."""
    return time.replace(tzinfo=UTC)


def found(connection: Connection, query: Select[Any]) -> list[Row]:
    """The rows of a query."""
    return cast(list[Row], connection.execute(query).mappings().all())


def every(connection: Connection, table: Table, by: Mapping[str, Any]) -> list[Row]:
    """The rows with these values, in the order in which they were made."""
    return found(connection, select(table).filter_by(**by).order_by(table.c.id))


def one(connection: Connection, table: Table, what: str, by: Mapping[str, Any]) -> Row:
    """The row with these values. Raises NotFound, which names the last of them."""
    if rows := every(connection, table, by):
        return rows[0]
    column, key = [*by.items()][-1]
    known = connection.scalars(select(table.c[column])) if isinstance(key, str) else ()
    raise NotFound.among(what, str(key), known)


def add(connection: Connection, table: Table, what: str, name: str, values: Mapping[str, Any]) -> int:
    """A new row; returns its id, which is the database's to give. Raises AlreadyExists when its name is taken."""
    given = {name: value for name, value in values.items() if name != "id"}
    try:
        id: int = connection.execute(insert(table).values(given).returning(table.c.id)).scalar_one()
    except IntegrityError as wrong:
        if not _is_taken(wrong):
            raise
        raise AlreadyExists(what, name) from None
    return id


def _is_taken(wrong: IntegrityError) -> bool:
    """What PostgreSQL and SQLite say of a second row of a name."""
    said = getattr(wrong.orig, "sqlstate", None) or getattr(wrong.orig, "sqlite_errorname", None)
    return said in ("23505", "SQLITE_CONSTRAINT_UNIQUE")


def change(connection: Connection, table: Table, what: str, id: int | None, values: Mapping[str, Any]) -> None:
    """Give a row these values, and no others. Raises NotFound."""
    one(connection, table, what, {"id": id})
    if values:
        connection.execute(update(table).where(table.c.id == id).values(dict(values)))


def remove(connection: Connection, table: Table, what: str, id: int | None) -> None:
    """Take a row away. Raises NotFound."""
    one(connection, table, what, {"id": id})
    connection.execute(delete(table).where(table.c.id == id))
