from __future__ import annotations

import copy

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from midflight.migrations.rows import Row, RowContext
from tests.migrations.cloud import boot, instances, migrated


def test_access() -> None:
    """A row is read by attribute and by name, and lists its columns."""
    row = Row({"id": 1, "host": "a", "keys": "k"})
    assert (row.id, row["host"], row["keys"], list(row), len(row)) == (1, "a", "k", ["id", "host", "keys"], 3)
    assert dict(row) == {"id": 1, "host": "a", "keys": "k"}
    assert repr(row) == "Row(id=1, host='a', keys='k')"
    assert copy.copy(row) == row


def test_frozen() -> None:
    """A row cannot be assigned to, and what is done to a JSON value stays with that value."""
    row = Row({"flavor": '{"ram": 1}'}, {"flavor": lambda text: {"ram": len(text)}})
    with pytest.raises(AttributeError, match=r"a row is frozen: return \{'flavor': …\} instead"):
        row.flavor = {}
    row.flavor["ram"] = 7
    assert row.flavor == {"ram": 10}


def test_unknown_column() -> None:
    """A column that the row does not have is named, with those that it has."""
    with pytest.raises(AttributeError, match="the row has no column 'hots'; it has id, host"):
        _ = Row({"id": 1, "host": "a"}).hots


def test_fetch(connection: Connection) -> None:
    """A row function reads other rows by text with parameters, or by a query."""
    boot(connection, 1, ram=7)
    db = RowContext(connection)
    assert [row.value for row in db.fetch("SELECT value FROM system_metadata WHERE key = :key", key="ram")] == ["7"]
    assert [row.id for row in db.fetch(select(instances.c.id))] == [1]


def test_fetch_writes_nothing(connection: Connection) -> None:
    """A statement that writes is refused and undone."""
    boot(connection, 1)
    with pytest.raises(TypeError, match="fetch takes queries that return rows"):
        RowContext(connection).fetch("UPDATE instances SET flavor = '{}'")
    assert migrated(connection) == 0


def test_failing_fetch(connection: Connection) -> None:
    """A query that the database refuses leaves the transaction usable."""
    boot(connection, 1)
    with pytest.raises(DBAPIError, match=r"no such table: nowhere|relation \"nowhere\" does not exist"):
        RowContext(connection).fetch("SELECT * FROM nowhere")
    assert len(connection.execute(select(instances)).all()) == 1
