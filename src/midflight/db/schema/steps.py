"""What cannot be part of a revision's transaction on PostgreSQL, since it takes long: it follows in transactions of
its own.

A revision that commits writes down its steps; they are struck out one by one as the catalogue shows that they are
done. Whoever is killed in between leaves a list, and the next runner goes on with it. So each step looks first: done
twice, it does nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection, delete, insert, select, text

from midflight.db import sqlite
from midflight.db.schema.words import quoted, verbatim
from midflight.db.tables import steps
from midflight.errors import SchemaBroken

Execute = Callable[[str], None]
"""Runs one statement: in a transaction of its own, or in none where it takes none."""


@dataclass(frozen=True)
class Step(ABC):
    """One of them. ``table`` is the one that it works on."""

    table: str
    name: str

    kind: ClassVar[str]
    in_transaction: ClassVar[bool] = True
    until_done: ClassVar[bool] = False
    """Once is not enough: it is done again and again, each time in a transaction of its own."""

    @property
    @abstractmethod
    def thing(self) -> str:
        """What is there afterwards, in the catalogue's words."""

    @abstractmethod
    def statements(self) -> Sequence[str]:
        """What it takes, where nothing of it was done before."""

    def on_sqlite(self) -> Sequence[str]:
        """The same on SQLite, for those that come to be there."""
        return self.statements()

    @abstractmethod
    def is_done(self, connection: Connection) -> bool:
        """What the catalogue says."""

    def clear(self, connection: Connection) -> Sequence[str]:
        """What has to be executed first, to clear away what an earlier try has left."""
        return ()

    def trial(self) -> Sequence[str]:
        """What fails at once, and changes nothing, where the step itself would fail however often it was tried: so that
        the revision is refused as a whole."""
        return ()

    def facts(self) -> dict[str, Any]:
        """What it is made of again."""
        return asdict(self)


@dataclass(frozen=True)
class BuildIndex(Step):
    """An index that is built while the table is written to."""

    statement: str

    kind = "index"
    in_transaction = False

    @property
    def thing(self) -> str:
        return f"index {self.name} on {self.table}"

    def statements(self) -> Sequence[str]:
        return (self.statement,)

    def is_done(self, connection: Connection) -> bool:
        return _validity(connection, _INDEX, self) is True

    def clear(self, connection: Connection) -> Sequence[str]:
        """What a build that failed has left: PostgreSQL keeps it up to date, and never uses it."""
        is_left = _validity(connection, _INDEX, self) is False
        return (f"DROP INDEX CONCURRENTLY {quoted(self.name)}",) if is_left else ()

    def trial(self) -> Sequence[str]:
        """The same on an empty table of the same columns, and of the same name, which a condition may say."""
        table, empty = quoted(self.table), f"pg_temp.{quoted(self.table)}"
        return (
            f"CREATE TEMPORARY TABLE {table} (LIKE {table})",
            self.statement.replace(f" CONCURRENTLY {quoted(self.name)} ON {table} ", f" ON {empty} ", 1),
            f"DROP TABLE {empty}",
        )


@dataclass(frozen=True)
class Validate(Step):
    """A constraint that new rows obey already is held against the old ones, while the table is written to."""

    kind = "validate"

    @property
    def thing(self) -> str:
        return f"valid constraint {self.name} on {self.table}"

    def statements(self) -> Sequence[str]:
        return (f"ALTER TABLE {quoted(self.table)} VALIDATE CONSTRAINT {quoted(self.name)}",)

    def is_done(self, connection: Connection) -> bool:
        return _validity(connection, _CONSTRAINT, self) is True


@dataclass(frozen=True)
class SetNotNull(Step):
    """NOT NULL by a check that was validated, so that nothing is read again; the check has done its duty."""

    check: str

    kind = "not null"

    @property
    def thing(self) -> str:
        return f"not null {self.table}.{self.name}"

    def statements(self) -> Sequence[str]:
        altered = f"ALTER TABLE {quoted(self.table)}"
        return (
            f"{altered} ALTER COLUMN {quoted(self.name)} SET NOT NULL, DROP CONSTRAINT IF EXISTS {quoted(self.check)}",
        )

    def is_done(self, connection: Connection) -> bool:
        return _validity(connection, _NOT_NULL, self) is True


@dataclass(frozen=True)
class DropIndex(Step):
    """An index that is dropped while the table is written to."""

    kind = "drop index"
    in_transaction = False

    @property
    def index(self) -> str:
        """In the catalogue's words."""
        return f"index {self.name} on {self.table}"

    @property
    def thing(self) -> str:
        return f"end of {self.index}"

    def statements(self) -> Sequence[str]:
        return (f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(self.name)}",)

    def on_sqlite(self) -> Sequence[str]:
        return (f"DROP INDEX IF EXISTS {quoted(self.name)}",)

    def is_done(self, connection: Connection) -> bool:
        if connection.dialect.name == "sqlite":
            return (self.table, self.name) not in sqlite.index_names(connection)
        return _validity(connection, _INDEX, self) is None


@dataclass(frozen=True)
class DeleteRows(Step):
    """Rows that are deleted a thousand at a time, until none is left."""

    where: str

    kind = "delete"
    until_done = True

    @property
    def thing(self) -> str:
        return f"end of the rows of {self.table} where {self.where}"

    def statements(self) -> Sequence[str]:
        return (self._delete("ctid"),)

    def on_sqlite(self) -> Sequence[str]:
        return (self._delete("rowid"),)

    def is_done(self, connection: Connection) -> bool:
        query = f"SELECT 1 FROM {quoted(self.table)} WHERE {self.where} LIMIT 1"  # noqa: S608  # a revision's own words
        return connection.execute(verbatim(query)).one_or_none() is None

    def trial(self) -> Sequence[str]:
        return (f"SELECT 1 FROM {quoted(self.table)} WHERE {self.where} LIMIT 0",)  # noqa: S608  # the same

    def _delete(self, place: str) -> str:
        some = f"SELECT {place} FROM {quoted(self.table)} WHERE {self.where} LIMIT {_AT_ONCE}"  # noqa: S608  # the same
        return f"DELETE FROM {quoted(self.table)} WHERE {place} IN ({some})"  # noqa: S608  # the same


_AT_ONCE = 1000
"""Rows that one transaction deletes."""

_KINDS = {kind.kind: kind for kind in (BuildIndex, Validate, SetNotNull, DropIndex, DeleteRows)}

_INDEX = text(
    "SELECT indisvalid AND indisready FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE relname = :name AND indrelid = to_regclass(quote_ident(:table))"
)
_CONSTRAINT = text(
    "SELECT convalidated FROM pg_constraint WHERE conname = :name AND conrelid = to_regclass(quote_ident(:table))"
)
_NOT_NULL = text(
    "SELECT attnotnull FROM pg_attribute WHERE attname = :name AND attrelid = to_regclass(quote_ident(:table))"
)


def keep(connection: Connection, revision: str, wanted: Sequence[Step]) -> None:
    """Write the steps of a revision down, at the end of its transaction. What the database says against one that can
    never be done passes through."""
    for number, step in enumerate(wanted):
        for statement in step.trial():
            connection.execute(verbatim(statement))
        row = {"revision": revision, "number": number, "kind": step.kind, "facts": step.facts()}
        connection.execute(insert(steps).values(row))


def kept(connection: Connection) -> list[tuple[str, int, Step]]:
    """The steps that are left, in order, each with its revision and number."""
    order = select(steps).order_by(steps.c.revision, steps.c.number)
    return [(row["revision"], row["number"], _made(row)) for row in connection.execute(order).mappings()]


def strike(connection: Connection, revision: str, number: int, step: Step) -> None:
    """The step is done, and the catalogue says so. Raises SchemaBroken where it does not."""
    if not step.is_done(connection):
        raise SchemaBroken(revision=revision, reason=f"afterwards the catalogue has no {step.thing}")
    connection.execute(delete(steps).where(steps.c.revision == revision, steps.c.number == number))


def _made(row: Mapping[Any, Any]) -> Step:
    made: Step = _KINDS[row["kind"]](**row["facts"])
    return made


def _validity(connection: Connection, query: Any, step: Step) -> bool | None:
    found: bool | None = connection.execute(query, {"name": step.name, "table": step.table}).scalar_one_or_none()
    return found
