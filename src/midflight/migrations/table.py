"""A table as a data migration walks it: in the order of its key, row by row, with values decoded one by one.

Values are read raw and decoded only when somebody asks for one, so that a value that cannot be decoded is the trouble
of its own row and not of the whole page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    Numeric,
    Select,
    Table,
    TextClause,
    Uuid,
    any_,
    cast,
    func,
    inspect,
    literal_column,
    select,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError, NoSuchTableError
from sqlalchemy.types import NullType

from midflight.db.engine import reason_of
from midflight.errors import ProjectError
from midflight.migrations.faults import is_too_much
from midflight.migrations.keys import Key, parts_of
from midflight.migrations.rows import Row
from midflight.migrations.writing import Wanted, Writer

_HOLDS = "mf_holds"
_PARTS = {int, str}
_AT_ONCE = 500
"""So many keys of several columns one statement asks for; databases bound the parameters of a statement."""
_COUNTED = 100_000
"""Tables that are believed to have more rows are not counted."""
_BELIEVED = text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)")


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """One row as it was read, and whether the migration's proof condition held for it."""

    key: Key
    row: Row
    holds: bool


class WalkedTable:
    """One table, read from the catalogue. ``where`` names the migration in errors.

    Raises ProjectError for a table or key that is not there, and for a key that does not tell all rows apart.
    """

    def __init__(self, connection: Connection, name: str, key: Sequence[str], proof: str, where: str) -> None:
        self._where, self.name, self.key = where, name, tuple(key)
        columns = self._columns(connection, name)
        for part in key:
            if part not in columns:
                raise self._mistake(f"table {name} has no column {part!r}; it has {', '.join(columns)}")
        self._refuse_ambiguous(connection, columns)
        self._table = Table(name, MetaData(), *(Column(name, column["type"]) for name, column in columns.items()))
        self._raw = {column.name: self._rawly(column) for column in self._table.columns}
        self._keys = [self._raw[part] for part in self.key]
        self._places = [self.columns.index(part) for part in self.key]
        self.writable = self._raw.keys() - set(self.key)
        """The columns that a new form may be in."""
        self._proof = proof
        self._holds: ColumnElement[int] = literal_column(f"CASE WHEN ({proof}) THEN 1 ELSE 0 END").label(_HOLDS)
        self._dialect = connection.dialect
        self._decoders = self._decoders_of()
        self._writer = Writer(self._table, self.key, proof, connection.dialect, self._stored)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._raw)

    def has(self, column: object) -> bool:
        """Whether there is a column of this name."""
        return column in self._raw

    def check(self, connection: Connection, todo: str) -> None:
        """Let the database read the migration's conditions. Raises ProjectError with what it says against them."""
        try:
            with connection.begin_nested():
                connection.execute(self._select().where(_condition(todo)).limit(0))
        except DBAPIError as wrong:
            if wrong.connection_invalidated or is_too_much(wrong):
                raise  # that says nothing against the conditions
            raise self._mistake(f"its todo ({todo}) or its proof ({self._proof}): {reason_of(wrong)}") from None

    def page(
        self, connection: Connection, after: Key | None, limit: int, *,
        until: Key | None = None, todo: str | None = None, lock: bool = False,
    ) -> list[Snapshot]:  # fmt: skip
        """Up to ``limit`` rows behind a key, or from the first on, up to the key ``until``, in the order of the key.

        With ``lock`` others wait with these rows until the transaction ends, on databases that lock rows.
        """
        wanted = self._select().order_by(*self._keys).limit(limit)
        if after is not None:
            wanted = wanted.where(self._placed(after, "after"))
        if until is not None:
            wanted = wanted.where(self._placed(until, "until"))
        if todo is not None:
            wanted = wanted.where(_condition(todo))
        return self._snapshots(connection, wanted, lock=lock)

    def some(self, connection: Connection, keys: Sequence[Key], *, lock: bool = False) -> list[Snapshot]:
        """The rows of these keys that there are, in the order of the key."""
        found: list[Snapshot] = []
        for portion in self._portions(keys):
            wanted = self._select().where(self._among(portion)).order_by(*self._keys)
            found += self._snapshots(connection, wanted, lock=lock)
        return found

    def _portions(self, keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
        at_once = _AT_ONCE if len(self._keys) > 1 else max(1, len(keys))
        return (keys[start : start + at_once] for start in range(0, len(keys), at_once))

    def one(self, connection: Connection, key: Key) -> Snapshot:
        """The row of a key, locked where rows are. Raises LookupError if there is none."""
        found = self.some(connection, [key], lock=True)
        if not found:
            raise LookupError(f"{self._where}: table {self.name} has no row {key!r}")
        return found[0]

    def last_key(self, connection: Connection) -> Key | None:
        """The highest key there is; None in an empty table."""
        highest = select(*self._keys).order_by(*(part.desc() for part in self._keys)).limit(1)
        found = connection.execute(highest).one_or_none()
        return None if found is None else self._keys_in([found], range(len(self.key)))[0]

    def random_keys(self, connection: Connection, number: int) -> list[Key]:
        """The keys of so many rows, of any; the database looks at all to choose them."""
        wanted = select(*self._keys).order_by(func.random()).limit(number)
        return self._keys_in(connection.execute(wanted).all(), range(len(self.key)))

    @property
    def key_types(self) -> tuple[type, ...]:
        """Of what Python type each column of the key is: int or str."""
        return tuple(int if isinstance(self._table.c[part].type, Integer) else str for part in self.key)

    def estimate(self, connection: Connection) -> int:
        """How many rows there are: counted, or what PostgreSQL believes where counting would take long."""
        if connection.dialect.name == "postgresql":
            believed = connection.execute(_BELIEVED, {"name": self.name}).scalar_one_or_none()
            if believed is not None and believed > _COUNTED:
                return int(believed)
        return int(connection.execute(select(func.count()).select_from(self._table)).scalar_one())

    def write(self, connection: Connection, rows: Iterable[Wanted]) -> list[Key]:
        """Write columns of rows; the keys of those that may not say now what they were given, or do not fulfil the
        proof. Raises as ``Writer`` does."""
        return self._writer.write(connection, rows)

    def _stored(self, connection: Connection, names: Sequence[str], keys: Sequence[Key]) -> dict[Key, list[Any]]:
        """Columns of the rows of these keys as the driver gives them; without those that do not fulfil the proof."""
        columns, width = [*self._keys, *(self._raw[name] for name in names), self._holds], len(self.key)
        found: dict[Key, list[Any]] = {}
        for portion in self._portions(keys):
            rows = connection.execute(select(*columns).where(self._among(portion))).all()
            given = zip(self._keys_in(rows, range(width)), rows, strict=True)
            found |= {key: list(row[width:-1]) for key, row in given if row[-1]}
        return found

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(*(raw.label(name) for name, raw in self._raw.items()), self._holds)

    def _snapshots(self, connection: Connection, wanted: Select[*tuple[Any, ...]], *, lock: bool) -> list[Snapshot]:
        # It keeps other writers of the row off, and those who insert rows that refer to it need not wait.
        rows = connection.execute(wanted.with_for_update(key_share=True) if lock else wanted).all()
        names, decoders = self.columns, self._decoders
        return [
            Snapshot(key, Row(dict(zip(names, values, strict=False)), decoders), bool(values[-1]))
            for key, values in zip(self._keys_in(rows, self._places), rows, strict=True)
        ]

    def _keys_in(self, rows: Sequence[Sequence[Any]], places: Sequence[int]) -> list[Key]:
        """The keys of rows, in which they stand at these places. Raises ProjectError for a value that is none."""
        keys = list(map(itemgetter(*places), rows))
        for part, place in zip(self.key, places, strict=True):
            if not _PARTS.issuperset(type(row[place]) for row in rows):
                value = next(row[place] for row in rows if type(row[place]) not in _PARTS)
                raise self._mistake(f"key {part} of {self.name} is {value!r}; a key is a whole number or a text")
        return keys

    def _placed(self, key: Key, side: str) -> ColumnElement[bool]:
        """Behind a key, or not behind it."""
        if not isinstance(key, tuple):
            return self._keys[0] > key if side == "after" else self._keys[0] <= key
        parts = tuple_(*self._keys)
        return parts > key if side == "after" else parts <= key

    def _among(self, keys: Sequence[Key]) -> ColumnElement[bool]:
        """One parameter for any number of keys, where there is one column of them."""
        if len(self._keys) > 1:
            return tuple_(*self._keys).in_([parts_of(key) for key in keys])
        if self._dialect.name == "sqlite":
            return self._keys[0].in_(select(func.json_each(json.dumps(keys)).table_valued("value").c.value))
        array = cast(list(keys), ARRAY(self._table.c[self.key[0]].type))
        return self._keys[0] == any_(array)

    def _rawly(self, column: Column[Any]) -> ColumnElement[Any]:
        """A column whose values come as the driver gives them; keys that are UUIDs come as text, as a cursor keeps
        them."""
        if column.name in self.key and isinstance(column.type, Uuid):
            return type_coerce(column, Uuid(as_uuid=False))
        return type_coerce(column, NullType())

    def _columns(self, connection: Connection, name: str) -> dict[str, ReflectedColumn]:
        try:
            return {column["name"]: column for column in inspect(connection).get_columns(name)}
        except NoSuchTableError:
            raise self._mistake(f"there is no table {name!r}; is the schema expanded?") from None

    def _refuse_ambiguous(self, connection: Connection, columns: Mapping[str, ReflectedColumn]) -> None:
        inspector, key = inspect(connection), set(self.key)
        if set(inspector.get_pk_constraint(self.name)["constrained_columns"]) == key:
            return
        unique = [set(constraint["column_names"]) for constraint in inspector.get_unique_constraints(self.name)]
        if any(columns[part]["nullable"] for part in key) or key not in unique:
            named = ", ".join(map(repr, self.key))
            raise self._mistake(f"key {named} of table {self.name} is neither its primary key nor unique and not null")

    def _decoders_of(self) -> dict[str, Callable[[Any], Any]]:
        made = {column.name: self._decoder(column) for column in self._table.columns}
        return {name: decoder for name, decoder in made.items() if decoder is not None}

    def _decoder(self, column: Column[Any]) -> Callable[[Any], Any] | None:
        if column.name in self.key and isinstance(column.type, Uuid):
            return None  # it is to stay text
        if self._dialect.name == "postgresql" and isinstance(column.type, Numeric | Float):
            return None  # the driver gives numbers as they are, and SQLAlchemy would want to see its answer first
        return column.type.dialect_impl(self._dialect).result_processor(self._dialect, None)

    def _mistake(self, reason: str) -> ProjectError:
        return ProjectError(where=self._where, reason=reason)


def _condition(condition: str) -> TextClause:
    """A user's condition as it stands: a colon in it begins no parameter."""
    return text(f"({condition.replace(':', chr(92) + ':')})")
