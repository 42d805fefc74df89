"""What a schema really has, read from the database's own catalogue, in the words in which it is reported.

A thing is a phrase: ``table instances``, ``column instances.flavor``, ``index ix_host on instances``.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, MetaData, Table, inspect

from midflight.db import sqlite


def tables_and_columns(connection: Connection) -> set[str]:
    """All of the default schema, as this transaction sees them."""
    found: set[str] = set()
    for (_, table), columns in inspect(connection).get_multi_columns().items():
        found.add(_table(table))
        found.update(_column(table, column["name"]) for column in columns)
    return found


def things(connection: Connection) -> set[str]:
    """These, and the named indexes."""
    return tables_and_columns(connection) | {_index(table, name) for table, name in _index_names(connection)}


def missing(connection: Connection, *tables: MetaData) -> list[str]:
    """What these tables promise and the database does not have, in their order. An absent table is named as a whole."""
    present = things(connection)
    return [thing for metadata in tables for table in metadata.sorted_tables for thing in _missing(table, present)]


def _missing(table: Table, present: set[str]) -> list[str]:
    if _table(table.name) not in present:
        return [_table(table.name)]
    return [thing for thing in _promised(table) if thing not in present]


def _promised(table: Table) -> Iterator[str]:
    for column in table.columns:
        yield _column(table.name, column.name)
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        yield _index(table.name, str(index.name))


def _index_names(connection: Connection) -> set[tuple[str, str]]:
    if connection.dialect.name == "sqlite":
        return sqlite.index_names(connection)
    indexes = inspect(connection).get_multi_indexes()
    return {(table, str(index["name"])) for (_, table), of_table in indexes.items() for index in of_table}


def _table(name: str) -> str:
    return f"table {name}"


def _column(table: str, name: str) -> str:
    return f"column {table}.{name}"


def _index(table: str, name: str) -> str:
    return f"index {name} on {table}"
