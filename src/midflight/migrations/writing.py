"""The new forms of rows, on their way into the database.

On PostgreSQL they go in one statement, which says at once which rows do not keep what they were given (``bulk.py``).
On SQLite a statement for each row costs little; there the rows are read again as they are stored, and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.types import TypeEngine

from midflight.migrations import bulk
from midflight.migrations.content import storing, writable
from midflight.migrations.keys import Key, parts_of

Wanted = tuple[Key, Mapping[str, Any]]
"""A row, and the columns of its new form."""
Read = Callable[[Connection, Sequence[str], Sequence[Key]], Mapping[Key, Sequence[Any]]]
"""Reads some columns of rows as the driver gives them; only of rows that fulfil the proof."""


class Writer:
    """Writes rows of one table, each column in the form that its type takes."""

    def __init__(self, table: Table, key: Sequence[str], proof: str, dialect: Dialect, read: Read) -> None:
        self._table, self._key, self._proof, self._dialect, self._read = table, key, proof, dialect, read
        self._store = {column.name: storing(column.type, dialect) for column in table.columns}
        self._encode = {column.name: self._encoder(column.name, column.type) for column in table.columns}

    def write(self, connection: Connection, rows: Iterable[Wanted]) -> list[Key]:
        """Write columns of rows, those of the same columns in one go.

        Returns the keys of those that may not say now what they were given, or may not fulfil the proof. Raises
        TypeError or ValueError for a value that its column does not take, and what the database says against a row.
        """
        groups: dict[tuple[str, ...], list[Wanted]] = {}
        for row in rows:
            groups.setdefault(tuple(sorted(row[1])), []).append(row)
        doubtful = [self._write(connection, names, group) for names, group in groups.items()]
        return [key for keys in doubtful for key in keys]

    def _write(self, connection: Connection, names: Sequence[str], rows: Sequence[Wanted]) -> list[Key]:
        if self._dialect.name == "postgresql" and bulk.can_write([self._table.c[name] for name in names]):
            given = _converted(names, rows, self._store)
            return bulk.write(connection, self._table, self._key, names, given, self._proof)
        sent = _converted(names, rows, self._encode)
        connection.exec_driver_sql(self._update(names), [(*values, *parts_of(key)) for key, values in sent.items()])
        stored = self._read(connection, names, list(sent))
        return [key for key, values in sent.items() if stored.get(key) != values]

    def _update(self, names: Sequence[str]) -> str:
        quote, place = self._dialect.identifier_preparer.quote, "?" if self._dialect.paramstyle == "qmark" else "%s"
        written = ", ".join(f"{quote(name)} = {place}" for name in names)
        found = " AND ".join(f"{quote(part)} = {place}" for part in self._key)
        return f"UPDATE {quote(self._table.name)} SET {written} WHERE {found}"  # noqa: S608  # names from the catalogue, quoted

    def _encoder(self, name: str, type_: TypeEngine[Any]) -> Callable[[Any], Any]:
        store, process = self._store[name], writable(type_).dialect_impl(self._dialect).bind_processor(self._dialect)
        return store if process is None else lambda value: process(store(value))


def _converted(
    names: Sequence[str], rows: Iterable[Wanted], converters: Mapping[str, Callable[[Any], Any]]
) -> dict[Key, list[Any]]:
    convert = [(name, converters[name]) for name in names]
    return {key: [converter(values[name]) for name, converter in convert] for key, values in rows}
