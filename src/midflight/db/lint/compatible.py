"""Does every release that may be there still work under the changed schema? It reads, inserts, updates and deletes,
as its frozen tables say that it does, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from midflight.db.engine import reason_of
from midflight.db.lint.finding import Code, Finding
from midflight.db.lint.rows import Parent, parent_value, parents, value
from midflight.db.schema.frozen_tables import FrozenColumn, FrozenTable, FrozenTables
from midflight.db.schema.words import quoted, verbatim

_FULL, _BRIEF = 2_999_999, 2_999_998
"""Numbers of rows that no scratch row has, also where they are cut to a small integer."""


def incompatible(connection: Connection, revision: str, release: FrozenTables) -> Iterator[Finding]:
    """What a release can no longer do, each table at the first thing that fails."""
    for name, table in release.tables.items():
        if wrong := _Trial(connection, name, table).run():
            what, reason = wrong
            cause = f"{release.release} cannot {what} {name} any more: {reason}"
            hits = f"every process of {release.release} that uses {name}, at once"
            rewrite = (
                "only add: nullable, or with a server default; take away or forbid in contract/, when nobody is left"
            )
            yield Finding(Code.INCOMPATIBLE, revision, name, cause, hits, rewrite)


class _Trial:
    """One table, as one release uses it."""

    def __init__(self, connection: Connection, name: str, table: FrozenTable) -> None:
        self._connection, self._name, self._table = connection, name, table
        self._parents: Mapping[str, Parent] = {}

    def run(self) -> tuple[str, str] | None:
        kept = self._connection.begin_nested()
        try:
            for what, work in self._works().items():
                try:
                    work()
                except DBAPIError as wrong:
                    return what, reason_of(wrong)
        finally:
            kept.rollback()
        return None

    def _works(self) -> dict[str, Callable[[], None]]:
        return {
            "read": self._read,
            "insert all columns into": lambda: self._insert(_FULL, self._table.columns),
            "insert what it must into": lambda: self._insert(_BRIEF, self._required()),
            "update": self._update,
            "delete from": self._delete,
        }

    def _required(self) -> dict[str, FrozenColumn]:
        return {name: each for name, each in self._table.columns.items() if not (each.nullable or each.has_default)}

    def _read(self) -> None:
        self._execute(f"SELECT {', '.join(map(quoted, self._table.columns))} FROM {quoted(self._name)} LIMIT 1")  # noqa: S608  # names
        self._parents = parents(self._connection, self._name)

    def _insert(self, number: int, columns: Mapping[str, FrozenColumn]) -> None:
        if not columns:
            self._execute(f"INSERT INTO {quoted(self._name)} DEFAULT VALUES")
            return
        names = ", ".join(map(quoted, columns))
        values = ", ".join(self._value(name, number + place) for place, name in enumerate(columns))
        self._execute(f"INSERT INTO {quoted(self._name)} ({names}) VALUES ({values})")  # noqa: S608  # names

    def _update(self) -> None:
        for place, name in enumerate(self._table.columns):
            if name not in self._table.key:
                assigned = f"{quoted(name)} = {self._value(name, _FULL + place)}"
                self._execute(f"UPDATE {quoted(self._name)} SET {assigned} WHERE {self._same()}")  # noqa: S608  # names

    def _delete(self) -> None:
        self._execute(f"DELETE FROM {quoted(self._name)} WHERE {self._same()}")  # noqa: S608  # names

    def _same(self) -> str:
        columns = list(self._table.columns)
        matches = [f"{quoted(name)} = {self._value(name, _FULL + columns.index(name))}" for name in self._table.key]
        return " AND ".join(matches) or "false"

    def _value(self, column: str, number: int) -> str:
        parent = self._parents.get(column)
        if parent is not None and parent.table != self._name:
            return parent_value(parent, str(number))
        if parent is not None and self._table.columns[column].nullable:
            return "NULL"
        return value(self._table.columns[column].type, str(number))

    def _execute(self, statement: str) -> None:
        self._connection.execute(verbatim(statement))
