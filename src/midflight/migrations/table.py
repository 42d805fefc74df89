"""A table as a data migration walks it: in the order of its key, row by row, with values decoded one by one.

Values are read raw and decoded only when somebody asks for one, so that a value that cannot be decoded is the trouble
of its own row and not of the whole page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    TextClause,
    inspect,
    literal_column,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError, NoSuchTableError
from sqlalchemy.types import NullType

from midflight.errors import ProjectError
from midflight.migrations.content import storable
from midflight.migrations.rows import Row

Key = int | str

_HOLDS = "mf_holds"


@dataclass(frozen=True)
class Snapshot:
    """One row as it was read, and whether the migration's proof condition held for it."""

    key: Key
    row: Row
    holds: bool


class WalkedTable:
    """One table, read from the catalogue. ``where`` names the migration in errors.

    Raises ProjectError for a table or key that is not there, and for a key that does not tell all rows apart.
    """

    def __init__(self, connection: Connection, name: str, key: str, proof: str, where: str) -> None:
        self._where = where
        columns = self._columns(connection, name)
        if key not in columns:
            raise self._mistake(f"table {name} has no column {key!r}; it has {', '.join(columns)}")
        self._refuse_ambiguous(connection, name, key, nullable=columns[key]["nullable"])
        self._table = Table(name, MetaData(), *(Column(name, column["type"]) for name, column in columns.items()))
        self._raw = {column.name: type_coerce(column, NullType()) for column in self._table.columns}
        self._key_name, self._key = key, self._raw[key]
        self._proof = proof
        self._dialect = connection.dialect
        self._decoders = self._decoders_of(columns)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._raw)

    def check(self, connection: Connection, todo: str) -> None:
        """Let the database read the migration's conditions. Raises ProjectError with what it says against them."""
        try:
            connection.execute(self._select().where(_condition(todo)).limit(0))
        except DBAPIError as wrong:
            raise self._mistake(f"its todo ({todo}) or its proof ({self._proof}): {wrong.orig}") from None

    def page(self, connection: Connection, after: Key | None, limit: int, todo: str | None = None) -> list[Snapshot]:
        """Up to ``limit`` rows behind a key, or from the first on, in the order of the key."""
        wanted = self._select().order_by(self._key).limit(limit)
        if after is not None:
            wanted = wanted.where(self._key > after)
        if todo is not None:
            wanted = wanted.where(_condition(todo))
        return [self._snapshot(found) for found in connection.execute(wanted).mappings()]

    def one(self, connection: Connection, key: Key) -> Snapshot:
        """The row of a key. Raises LookupError if there is none."""
        found = connection.execute(self._select().where(self._key == key)).mappings().one_or_none()
        if found is None:
            raise LookupError(f"{self._where}: table {self._table.name} has no row {key!r}")
        return self._snapshot(found)

    def write(self, connection: Connection, key: Key, values: Mapping[str, Any]) -> None:
        """Write columns of one row, each in the form that its type takes."""
        stored = {name: storable(value, self._table.c[name].type, self._dialect) for name, value in values.items()}
        connection.execute(update(self._table).where(self._key == key).values(stored))

    def _select(self) -> Select[*tuple[Any, ...]]:
        holds: ColumnElement[int] = literal_column(f"CASE WHEN ({self._proof}) THEN 1 ELSE 0 END").label(_HOLDS)
        columns = [raw.label(name) for name, raw in self._raw.items()]
        # Others wait with the row until it is settled, on databases that lock rows.
        return select(*columns, holds).with_for_update()

    def _columns(self, connection: Connection, name: str) -> dict[str, ReflectedColumn]:
        try:
            return {column["name"]: column for column in inspect(connection).get_columns(name)}
        except NoSuchTableError:
            raise self._mistake(f"there is no table {name!r}; is the schema expanded?") from None

    def _refuse_ambiguous(self, connection: Connection, name: str, key: str, *, nullable: bool) -> None:
        inspector = inspect(connection)
        if inspector.get_pk_constraint(name)["constrained_columns"] == [key]:
            return
        unique = [constraint["column_names"] for constraint in inspector.get_unique_constraints(name)]
        if nullable or [key] not in unique:
            raise self._mistake(f"key {key!r} of table {name} is neither its primary key nor unique and not null")

    def _decoders_of(self, columns: Mapping[str, ReflectedColumn]) -> dict[str, Callable[[Any], Any]]:
        processors = {
            name: column["type"].dialect_impl(self._dialect).result_processor(self._dialect, None)
            for name, column in columns.items()
        }
        return {name: processor for name, processor in processors.items() if processor is not None}

    def _mistake(self, reason: str) -> ProjectError:
        return ProjectError(where=self._where, reason=reason)

    def _snapshot(self, found: Mapping[Any, Any]) -> Snapshot:
        stored = {name: found[name] for name in self._raw}
        key = stored[self._key_name]
        if not isinstance(key, (int, str)):
            raise self._mistake(
                f"key {self._key_name} of {self._table.name} is {key!r}; a key is a whole number or a text"
            )
        return Snapshot(key, Row(stored, self._decoders), bool(found[_HOLDS]))


def _condition(condition: str) -> TextClause:
    """A user's condition as it stands: a colon in it begins no parameter."""
    return text(f"({condition.replace(':', chr(92) + ':')})")
