"""What a contract revision takes away: first hidden under another name, then, when nobody has missed it, dropped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, inspect

from midflight.db.schema import mirror
from midflight.db.schema.words import quoted

_PREFIX = "mf_held_"
_LONGEST = 63
"""Of a name, in PostgreSQL."""


def held(name: str) -> str:
    """What is hidden is called so."""
    return f"{_PREFIX}{name}"[:_LONGEST]


@dataclass(frozen=True)
class Removal(ABC):
    """One of them."""

    table: str

    @property
    @abstractmethod
    def thing(self) -> str:
        """In the catalogue's words."""

    @property
    @abstractmethod
    def held_thing(self) -> str:
        """The same while it is hidden."""

    @abstractmethod
    def hold(self, *, on_sqlite: bool) -> Sequence[str]:
        """The statements that hide it: who still reads it fails at once, and nothing is lost."""

    @abstractmethod
    def undo(self, *, on_sqlite: bool) -> Sequence[str]:
        """Those that bring it back."""

    @abstractmethod
    def purge(self, *, was_held: bool) -> str:
        """Drop it."""

    def needed(self, connection: Connection) -> str:
        """Why rows could not be written without it; empty where they can."""
        return ""


@dataclass(frozen=True)
class DropColumn(Removal):
    """A column. ``mirrored_by`` is the one that is kept in step with it, also while it is hidden: so it can be brought
    back as if it had never been away."""

    column: str
    mirrored_by: str | None = None

    @property
    def thing(self) -> str:
        return f"column {self.table}.{self.column}"

    @property
    def held_thing(self) -> str:
        return f"column {self.table}.{held(self.column)}"

    def hold(self, *, on_sqlite: bool) -> Sequence[str]:
        return self._renamed(self.column, held(self.column), on_sqlite=on_sqlite)

    def undo(self, *, on_sqlite: bool) -> Sequence[str]:
        return self._renamed(held(self.column), self.column, on_sqlite=on_sqlite)

    def purge(self, *, was_held: bool) -> str:
        return self._alter(f"DROP COLUMN {quoted(held(self.column) if was_held else self.column)}")

    def needed(self, connection: Connection) -> str:
        mirrors = mirror.of_column(connection, self.table, self.column)
        if mirrors or self.mirrored_by is not None:
            return self._wrong_mirror(mirrors)
        if connection.dialect.name == "sqlite":  # there, who writes the row writes the column
            return ""
        for column in inspect(connection).get_columns(self.table):
            if column["name"] == self.column and not column["nullable"] and column["default"] is None:
                return f"{self.thing} must be written: expand.relax_column({self.table!r}, {self.column!r}) comes first"
        return ""

    def _wrong_mirror(self, mirrors: Sequence[str]) -> str:
        if self.mirrored_by is not None and mirror.mirror_name(self.table, self.mirrored_by) in mirrors:
            return ""
        said = "no mirrored_by" if self.mirrored_by is None else f"mirrored_by={self.mirrored_by!r}"
        found = ", ".join(mirrors) or "no mirror"
        return f"its drop_column says {said} for {self.thing}, and the catalogue has {found}"

    def _renamed(self, before: str, after: str, *, on_sqlite: bool) -> Sequence[str]:
        renamed = [self._alter(f"RENAME COLUMN {quoted(before)} TO {quoted(after)}")]
        if self.mirrored_by is not None:
            renamed += mirror.follow(self.table, self.mirrored_by, before, after, on_sqlite=on_sqlite)
        return renamed

    def _alter(self, how: str) -> str:
        return f"ALTER TABLE {quoted(self.table)} {how}"


@dataclass(frozen=True)
class DropTable(Removal):
    """A table."""

    @property
    def thing(self) -> str:
        return f"table {self.table}"

    @property
    def held_thing(self) -> str:
        return f"table {held(self.table)}"

    def hold(self, *, on_sqlite: bool) -> Sequence[str]:
        return [f"ALTER TABLE {quoted(self.table)} RENAME TO {quoted(held(self.table))}"]

    def undo(self, *, on_sqlite: bool) -> Sequence[str]:
        return [f"ALTER TABLE {quoted(held(self.table))} RENAME TO {quoted(self.table)}"]

    def purge(self, *, was_held: bool) -> str:
        return f"DROP TABLE {quoted(held(self.table) if was_held else self.table)}"


def gone(removals: Sequence[Removal], things: set[str]) -> list[str]:
    """Which of them the catalogue still has, under either name."""
    return sorted(thing for removal in removals for thing in (removal.thing, removal.held_thing) if thing in things)
