"""One row, judged: does its stored new form say what its old form says, and if not, what is to be written?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from midflight.migrations.content import same
from midflight.migrations.faults import is_rows_own
from midflight.migrations.rows import Deferred, Row, RowContext, RowFunction
from midflight.migrations.stuck import Limit
from midflight.migrations.table import Snapshot, WalkedTable


class Agrees(msgspec.Struct, frozen=True, gc=False):
    """The new form says what the old one says."""


class Differs(msgspec.Struct, frozen=True, gc=False):
    """It does not, or is not there; ``values`` are the columns to write."""

    values: Mapping[str, Any]


class Postponed(msgspec.Struct, frozen=True, gc=False):
    """The row function defers this row."""

    reason: str


class Failed(msgspec.Struct, frozen=True, gc=False):
    """There is no new form of this row that could be written."""

    error: str


Finding = Agrees | Differs | Postponed | Failed
_AGREES = Agrees()


@dataclass(frozen=True)
class Deriver:
    """A row function on one table. ``limit`` stops one that does not end; without it, it may run for ever."""

    function: RowFunction
    table: WalkedTable
    proof: str
    release: str | None = None
    limit: Limit | None = None

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
        row, context = snapshot.row, RowContext(connection, saving=saving, release=self.release)
        try:
            derived = self._run(row, context)
            self._check(derived)
            differing = {column: value for column, value in derived.items() if not says(row, column, value)}
        except Deferred as deferred:
            return Postponed(deferred.reason)
        except SystemExit as left:
            return Failed(f"the row function called exit: {left}")
        except DBAPIError as wrong:
            if not is_rows_own(wrong):
                raise
            return Failed(f"{type(wrong).__name__}: {wrong}")
        except Exception as wrong:  # noqa: BLE001  # a row function may fail in any way, and must not stop the others
            return Failed(f"{type(wrong).__name__}: {wrong}")
        if differing:
            return Differs(differing)
        return _AGREES if snapshot.holds else self.unproven()

    def _run(self, row: Row, context: RowContext) -> Mapping[str, Any]:
        if self.limit is None:
            return self.function(row, context)
        return self.limit.run(self.function, row, context)

    def unproven(self) -> Failed:
        """What is found where the forms agree, and the proof condition does not hold."""
        return Failed(f"both forms agree, and yet the proof ({self.proof}) does not hold")

    def _check(self, derived: object) -> None:
        if type(derived) is dict and derived.keys() <= self.table.writable:
            return
        if not isinstance(derived, Mapping):
            raise TypeError(
                f"the row function returned {type(derived).__name__}, expected a mapping of columns to values"
            )
        for column in derived:
            if column in self.table.key:
                raise ValueError(f"the row function returned the key {column!r}, which stays as it is")
        if unknown := [str(name) for name in derived if not self.table.has(name)]:
            raise ValueError(
                f"the row function returned {', '.join(unknown)}; the columns are {', '.join(self.table.columns)}"
            )


def says(row: Row, column: str, derived: Any) -> bool:
    """Whether a row's column says what was derived for it."""
    try:
        stored = row[column]
    except ValueError:
        return False  # it cannot even be decoded: whatever was derived is better
    return same(stored, derived)
