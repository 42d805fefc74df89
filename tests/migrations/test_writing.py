"""Columns of all kinds, written as their types take them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from midflight.migrations.online import DataMigration, Row, RowContext
from midflight.migrations.runner import sweep
from tests.engines import ON_POSTGRESQL, ON_SQLITE
from tests.migrations.cloud import variant

NOON = datetime(2015, 4, 30, 12, tzinfo=UTC)
VALUES = {
    "word": "it's 100% \"so\"", "info": {"a": [1, None, "ü"]}, "number": 2**40, "share": 0.1,
    "price": Decimal("1.50"), "day": date(2015, 4, 30), "at": NOON, "yes": True,
}  # fmt: skip
TYPES = {
    "word": "TEXT", "info": "JSON", "number": "BIGINT", "share": "DOUBLE PRECISION", "price": "NUMERIC(10, 2)",
    "day": "DATE", "at": "TIMESTAMP WITH TIME ZONE", "yes": "BOOLEAN",
}  # fmt: skip


def things(connection: Connection, types: Mapping[str, str]) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    connection.execute(text(f"CREATE TABLE things (room TEXT, place INTEGER, {columns}, PRIMARY KEY (room, place))"))
    connection.execute(text("INSERT INTO things (room, place) VALUES ('a', 1), ('a', 2), ('b', 1)"))


def giving(values: Mapping[str, Any]) -> DataMigration:
    def row_function(row: Row, db: RowContext) -> Mapping[str, Any]:
        return values

    return variant(table="things", key=("room", "place"), function=row_function)


def test_each_type_keeps_what_it_is_given(connection: Connection) -> None:
    """Written in one chunk, it is found to agree by the next pass, which derives and compares all of it again."""
    on_sqlite = connection.dialect.name == "sqlite"
    things(connection, {name: "DATETIME" if on_sqlite and name == "at" else kind for name, kind in TYPES.items()})
    seen = [sweep(connection, giving(VALUES), 2) for _ in range(2)]
    assert [(progress.completed, progress.failures) for progress in seen] == [(2, 0), (1, 0)]
    assert seen[-1].proven


@ON_POSTGRESQL
def test_what_does_not_travel_as_json(connection: Connection) -> None:
    """Bytes and arrays are written row by row, beside columns of other types."""
    things(connection, {"seal": "BYTEA", "tags": "TEXT[]", "info": "JSON"})
    progress = sweep(connection, giving({"seal": b"\x00'", "tags": ["a", "b"], "info": {"n": 1}}), 10)
    assert (progress.completed, progress.proven) == (3, True)


@ON_SQLITE
def test_bytes(connection: Connection) -> None:
    """A blob is a value like others."""
    things(connection, {"seal": "BLOB"})
    assert sweep(connection, giving({"seal": b"\x00'"}), 10).proven


@pytest.mark.parametrize(("column", "value"), [("yes", 5), ("price", "dear"), ("at", "noon"), ("info", {"n": {1}})])
def test_what_a_type_does_not_take(connection: Connection, column: str, value: Any) -> None:
    """Each row says so, and nothing of it is kept."""
    things(connection, TYPES)
    connection.execute(text("DELETE FROM things WHERE room = 'b'"))
    progress = sweep(connection, giving({"word": "w", column: value}), 10)
    assert (progress.completed, progress.failures) == (0, 2)
    assert connection.execute(text("SELECT count(*) FROM things WHERE word IS NOT NULL")).scalar_one() == 0
