"""Online data migrations: one row function for both, the save of a row and the sweep over all rows.

A row function says how the new form of a row follows from its old form. As long as the old form is written it is the
truth, so a save derives the new form again, whoever wrote the old one; a sweeper does the same for rows that nobody
saves; and the proof compares what is there with what would be derived.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from midflight import telemetry
from midflight.db import forms
from midflight.db.forms import Form
from midflight.db.store import store_of
from midflight.errors import CannotDerive, ProjectError
from midflight.migrations import state
from midflight.migrations.derive import Deriver, Differs, Failed, Postponed, RowFunction
from midflight.migrations.keys import Key
from midflight.migrations.rows import Deferred, Row, RowContext
from midflight.migrations.settle import settle
from midflight.migrations.table import WalkedTable
from midflight.versions import Manifest

__all__ = ["DataMigration", "Deferred", "Row", "RowContext", "data_migration"]


_ALL = "1 = 1"
"""A condition that all rows fulfil."""


class DataMigration:
    """A row function with the table that it is for. Made by ``data_migration``; called, it is the row function."""

    def __init__(
        self, function: RowFunction, *, release: str, table: str, key: tuple[str, ...], todo: str, proof: str,
        needs: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.function, self.name = function, function.__name__
        self.release, self.table, self.key = release, table, key
        self.todo, self.proof, self.needs = todo, proof, needs
        self._derivers: WeakKeyDictionary[Engine, Deriver] = WeakKeyDictionary()
        functools.update_wrapper(self, function)

    def __call__(self, row: Row, db: RowContext) -> Mapping[str, Any]:
        return self.function(row, db)

    @property
    def says_nothing(self) -> bool:
        """Whether the proof condition holds for every row, so that only the comparison proves anything."""
        return self.proof == _ALL

    def __repr__(self) -> str:
        return f"<data migration {self.name} of {self.table}>"

    def apply(self, connection: Connection, key: Key) -> bool:
        """Derive the new form of one row from its old form and write it if it differs; return whether it was written.

        To be called by a save, in its transaction, after the old form was written. Does nothing while the new form is
        not written yet, and nothing once the old form is not written any more. A row that is deferred stays as it is,
        and a row function that fails does not hinder the save: the row goes into quarantine. Once readers read the new
        form, a save must not be lost on them: the row function is told that it should not defer, and CannotDerive is
        raised where it fails. Raises LookupError if there is no such row.
        """
        form = forms.current_of(connection, self.name)
        if not (form.writes_old and form.writes_new):
            return False
        deriver = self.deriver(connection)
        row = deriver.table.one(connection, key)
        finding = settle(connection, deriver, [row], saving=form.reads_new)[key]
        if isinstance(finding, Postponed):
            self._tell_deferred(connection, form, key, finding)
        elif isinstance(finding, Failed):
            self._keep_failed(connection, form, key, finding)
        return isinstance(finding, Differs)

    def store_manifest(self, connection: Connection) -> Manifest | None:
        """The manifest for ``to_json`` where a save writes the new form itself: that of the store floor, or of the
        migration's release if that is later, since nobody before it reads the new form."""
        return store_of(connection).manifest(self.release)

    def deriver(self, connection: Connection, *, fresh: bool = False) -> Deriver:
        """The row function on the table as the catalogue has it: now, if ``fresh``, else when it was first used.

        Raises ProjectError if the table, the key or a condition is not what the migration says.
        """
        if fresh or connection.engine not in self._derivers:
            self._derivers[connection.engine] = self._read(connection)
        return self._derivers[connection.engine]

    def _read(self, connection: Connection) -> Deriver:
        table = WalkedTable(connection, self.table, self.key, self.proof, f"data migration {self.name}")
        table.check(connection, self.todo)
        return Deriver(self.function, table, self.proof, self.release)

    def _tell_deferred(self, connection: Connection, form: Form, key: Key, finding: Postponed) -> None:
        telemetry.count("migrations.deferred_on_save", migration=self.name, reason=finding.reason)
        state.take_back_proof(connection, self.name)
        if form.reads_new:
            # The new form stays as it was: right only if the save did not change what it is derived from.
            telemetry.log.warning("migrations.deferred_under_read_new", name=self.name, key=key, reason=finding.reason)

    def _keep_failed(self, connection: Connection, form: Form, key: Key, finding: Failed) -> None:
        telemetry.count("migrations.failed_on_save", migration=self.name)
        if form.reads_new:
            raise CannotDerive(migration=self.name, table=self.table, key=str(key), error=finding.error)
        telemetry.log.warning("migrations.failed_on_save", name=self.name, key=key, error=finding.error)
        state.quarantine_row(connection, self.name, key, finding.error)
        state.take_back_proof(connection, self.name)


def data_migration(
    *, release: str, table: str, key: str | Sequence[str], todo: str = _ALL, proof: str = _ALL,
    needs: Iterable[DataMigration] = (),
) -> Callable[[RowFunction], DataMigration]:  # fmt: skip
    """Make a row function a data migration of ``release``, named like the function.

    ``key`` is the column of ``table`` that tells all rows apart, or several that do so together. ``todo`` is an SQL
    condition that narrows the first pass to rows that need work; later passes and the proof look at every row.
    ``proof`` is an SQL condition that must hold for each row in the end, besides the agreement of both forms. What the
    migration ``needs`` is proven before it begins.

    The row function gets a frozen Row and a RowContext to read other rows. It returns the columns of the new form, or
    raises Deferred with a reason. It must give the same for the same rows, and take nothing from the new form but
    whether it is there: a row that has one already is better kept up to date than deferred. It computes for a second at
    most.
    """

    def made(function: RowFunction) -> DataMigration:
        where = f"data migration {function.__name__}"
        if inspect.iscoroutinefunction(function):
            reason = "a row function is an ordinary function, not async: it runs in the database's thread"
            raise ProjectError(where=where, reason=reason)
        columns = (key,) if isinstance(key, str) else tuple(key)
        if not columns:
            raise ProjectError(where=where, reason="received no key, expected the columns that tell all rows apart")
        needed = tuple(each.name for each in needs)
        return DataMigration(
            function, release=release, table=table, key=columns, todo=todo, proof=proof, needs=needed
        )  # fmt: skip

    return made
