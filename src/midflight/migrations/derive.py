"""One row, settled: does its stored new form say what its old form says, and if not, can it be written?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from midflight.errors import InvalidValue
from midflight.migrations.content import same
from midflight.migrations.rows import Deferred, Row, RowContext
from midflight.migrations.table import Key, Snapshot, WalkedTable
from midflight.rpc.exits import no_exit

RowFunction = Callable[[Row, RowContext], Mapping[str, Any]]


@dataclass(frozen=True)
class Agrees:
    """The new form says what the old one says."""


@dataclass(frozen=True)
class Differs:
    """It does not, or is not there; ``values`` are the columns to write."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Postponed:
    """The row function defers this row."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """There is no new form of this row that could be written."""

    error: str


Finding = Agrees | Differs | Postponed | Failed


@dataclass(frozen=True)
class Deriver:
    """A row function on one table."""

    function: RowFunction
    table: WalkedTable
    key: str
    proof: str
    release: str | None = None

    def look(self, connection: Connection, snapshot: Snapshot, *, saving: bool = False) -> Finding:
        """Derive the new form of a row and compare contents. Writes nothing. What the row function raises is found.

        A row that is deferred, and says already what a save would make it say, agrees: nothing is left to do with it.
        """
        finding = self._derive(connection, snapshot, saving=saving)
        if isinstance(finding, Postponed) and not saving:
            as_saved = self._derive(connection, snapshot, saving=True)
            return as_saved if isinstance(as_saved, Agrees) else finding
        return finding

    def _derive(self, connection: Connection, snapshot: Snapshot, *, saving: bool) -> Finding:
        try:
            with no_exit("the row function"):
                derived = self._checked(self.function(snapshot.row, self._context(connection, saving=saving)))
            differing = {column: value for column, value in derived.items() if not _says(snapshot.row, column, value)}
        except Deferred as deferred:
            return Postponed(deferred.reason)
        except Exception as wrong:  # noqa: BLE001  # a row function may fail in any way, and must not stop the others
            return Failed(f"{type(wrong).__name__}: {wrong}")
        if differing:
            return Differs(differing)
        return (
            Agrees() if snapshot.holds else Failed(f"both forms agree, and yet the proof ({self.proof}) does not hold")
        )

    def _context(self, connection: Connection, *, saving: bool) -> RowContext:
        return RowContext(connection, saving=saving, release=self.release)

    def settle(self, connection: Connection, snapshot: Snapshot, *, saving: bool = False) -> Finding:
        """The same, and write the new form if it differs. Differs then means: written, read again, and found to agree.

        A row that could not be written, or differs still, is a failure, and nothing of it is kept.
        """
        finding = self.look(connection, snapshot, saving=saving)
        if not isinstance(finding, Differs):
            return finding
        kept = connection.begin_nested()
        failure = self._write(connection, snapshot.key, finding.values, saving=saving)
        if failure is None:
            kept.commit()
            return finding
        kept.rollback()
        return failure

    def _write(self, connection: Connection, key: Key, values: Mapping[str, Any], *, saving: bool) -> Failed | None:
        try:
            self.table.write(connection, key, values)
        except StatementError as wrong:
            return Failed(f"the new form was refused: {wrong.orig}")
        except InvalidValue as wrong:
            return Failed(f"the new form was refused: {wrong}")
        return _still_wrong(self.look(connection, self.table.one(connection, key), saving=saving))

    def _checked(self, derived: object) -> Mapping[str, Any]:
        if not isinstance(derived, Mapping):
            raise TypeError(
                f"the row function returned {type(derived).__name__}, expected a mapping of columns to values"
            )
        if self.key in derived:
            raise ValueError(f"the row function returned the key {self.key!r}, which stays as it is")
        if unknown := [str(name) for name in derived if name not in self.table.columns]:
            raise ValueError(
                f"the row function returned {', '.join(unknown)}; the columns are {', '.join(self.table.columns)}"
            )
        return derived


def _says(row: Row, column: str, derived: Any) -> bool:
    try:
        stored = row[column]
    except ValueError:
        return False  # it cannot even be decoded: whatever was derived is better
    return same(stored, derived)


def _still_wrong(again: Finding) -> Failed | None:
    match again:
        case Agrees():
            return None
        case Differs(values):
            columns = ", ".join(values)
            return Failed(
                f"{columns} was written and differs still: the row function gives another result each time, "
                "or the column does not keep what it is given"
            )
        case Postponed(reason):
            return Failed(f"the row function defers the row after its new form was written: {reason}")
        case Failed():
            return again
