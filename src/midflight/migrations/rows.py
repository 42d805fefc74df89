"""What a row function gets: a frozen row, and a way to read other rows of the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from midflight.db.store import store_of
from midflight.versions import Manifest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Executable


class Row(Mapping[str, Any]):
    """One row as it was when it was read: ``row.host`` or ``row["host"]``.

    A column by the name of a method of mappings (``keys``, ``items`` …) is reached by ``row["keys"]`` only. Each access
    gives a value of its own; changing a JSON value in place changes nothing but that.
    """

    __slots__ = ("_decode", "_stored")

    def __init__(self, stored: Mapping[Any, Any], decode: Mapping[str, Callable[[Any], Any]] | None = None) -> None:
        object.__setattr__(self, "_stored", stored)
        object.__setattr__(self, "_decode", decode or {})

    def __getitem__(self, column: str) -> Any:
        value = self._stored[column]
        return self._decode[column](value) if column in self._decode else value

    def __getattr__(self, column: str) -> Any:
        if column in self._stored:
            return self[column]
        if column.startswith("__"):
            raise AttributeError(column)
        raise AttributeError(f"the row has no column {column!r}; it has {', '.join(self._stored)}")

    def __setattr__(self, column: str, value: Any) -> None:
        raise AttributeError(f"a row is frozen: return {{{column!r}: …}} instead of assigning it")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Row, (self._stored, self._decode))

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{column}={value!r}' for column, value in self._stored.items())})"


class RowContext:
    """The database as a row function sees it: reading only, in the transaction of the row.

    ``release`` is the one that the row function belongs to.
    """

    def __init__(self, connection: Connection, *, saving: bool = False, release: str | None = None) -> None:
        self.saving = saving
        """The row is being saved while its new form is read already: a row function should then give a new form where
        it would defer otherwise."""
        self._connection, self._release = connection, release

    @property
    def store_manifest(self) -> Manifest | None:
        """The manifest for ``to_json`` in a new form, which nobody reads before the release of its data migration."""
        return store_of(self._connection).manifest(self._release)

    def fetch(self, statement: str | Executable, /, **params: Any) -> list[Row]:
        """The rows of a query; its text may have ``:name`` parameters. Raises TypeError if it returns no rows."""
        query = _as_query(statement) if isinstance(statement, str) else statement
        with self._connection.begin_nested():  # so that a failing query spoils nothing but this row
            found = self._connection.execute(query, params)
            if not found.returns_rows:
                raise TypeError("fetch takes queries that return rows; what is to be written is returned, not executed")
            return [Row(dict(row)) for row in found.mappings()]


def _as_query(statement: str) -> Executable:
    """Who has rows to read has SQLAlchemy; who declares a data migration need not."""
    from sqlalchemy import text

    return text(statement)


class Deferred(Exception):
    """Raised by a row function: not this row, not now, because of ``reason``, a word or two that are counted."""

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = str(reason)


RowFunction = Callable[[Row, RowContext], Mapping[str, Any]]
