"""Rows brought up to date: derived, written together, read again and found to agree.

Rows are written as many at once as possible. Where the database refuses some of them, the half with the bad one in it
is halved again, until that one stands alone with its error; all the others are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from midflight.migrations.derive import Agrees, Deriver, Differs, Failed, Finding, Postponed, says
from midflight.migrations.faults import is_rows_own
from midflight.migrations.keys import Key
from midflight.migrations.table import Snapshot
from midflight.migrations.writing import Wanted


def settle(
    connection: Connection, deriver: Deriver, snapshots: Sequence[Snapshot], *,
    saving: bool = False, thoroughly: bool = False,
) -> dict[Key, Finding]:  # fmt: skip
    """What was found of each row, in order; Differs means: written, read again, and found to say what was derived.

    A row that could not be written, or says something else afterwards, is a failure, and nothing of it is kept. What
    was written is compared with what was derived; ``thoroughly``, the row is derived once more, as a proof will do.
    """
    findings = {snapshot.key: deriver.look(connection, snapshot, saving=saving) for snapshot in snapshots}
    wanted = [(key, found.values) for key, found in findings.items() if isinstance(found, Differs)]
    return findings | _Writing(connection, deriver, saving, thoroughly).write(wanted)


@dataclass(frozen=True)
class _Writing:
    """Each method returns the failures among the rows that were to be written."""

    connection: Connection
    deriver: Deriver
    saving: bool
    thoroughly: bool

    def write(self, wanted: Sequence[Wanted]) -> dict[Key, Finding]:
        if not wanted:
            return {}
        kept = self.connection.begin_nested()
        failures = self._try(wanted)
        if not failures:
            kept.commit()
            return {}
        kept.rollback()
        if len(wanted) == 1:
            return failures
        middle = len(wanted) // 2
        return self.write(wanted[:middle]) | self.write(wanted[middle:])

    def _try(self, wanted: Sequence[Wanted]) -> dict[Key, Finding]:
        try:
            doubtful = set(self.deriver.table.write(self.connection, wanted))
        except StatementError as wrong:
            if not is_rows_own(wrong):
                raise
            return dict.fromkeys((key for key, _ in wanted), Failed(f"the new form was refused: {wrong.orig}"))
        except (TypeError, ValueError) as wrong:  # its column does not take it, or JSON cannot hold it
            return dict.fromkeys((key for key, _ in wanted), Failed(f"the new form was refused: {wrong}"))
        thoroughly = self.thoroughly or len(wanted) == 1
        return self._read_again([each for each in wanted if thoroughly or each[0] in doubtful], thoroughly)

    def _read_again(self, wanted: Sequence[Wanted], thoroughly: bool) -> dict[Key, Finding]:
        found = self.deriver.table.some(self.connection, [key for key, _ in wanted])
        again = {snapshot.key: snapshot for snapshot in found}
        judged = {key: self._judge(again.get(key), values, thoroughly) for key, values in wanted}
        return {key: failure for key, failure in judged.items() if failure is not None}

    def _judge(self, row: Snapshot | None, values: Mapping[str, Any], thoroughly: bool) -> Failed | None:
        if row is None:
            return Failed("the row was written, and is gone")
        if not thoroughly and all(says(row.row, column, value) for column, value in values.items()):
            return None if row.holds else self.deriver.unproven()
        match self.deriver.look(self.connection, row, saving=self.saving):
            case Agrees():
                return None
            case Differs(again):
                return Failed(
                    f"{', '.join(again)} was written and differs still: the row function gives another result each "
                    "time, or the column does not keep what it is given"
                )
            case Postponed(reason):
                return Failed(f"the row function defers the row after its new form was written: {reason}")
            case Failed() as failure:
                return failure
