"""Online data migrations: one row function for both, the save of a row and the sweep over all rows.

A row function says how the new form of a row follows from its old form. As long as the old form is written it is the
truth, so a save derives the new form again, whoever wrote the old one; a sweeper does the same for rows that nobody
saves; and the proof compares what is there with what would be derived.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from midflight.db.store import store_of
from midflight.errors import ProjectError
from midflight.migrations.declared import ALL, Declared
from midflight.migrations.rows import Deferred, Row, RowContext, RowFunction
from midflight.versions import Manifest

if TYPE_CHECKING:  # what is behind the door, see _saving
    from sqlalchemy import Connection

    from midflight.migrations.derive import Deriver
    from midflight.migrations.keys import Key

__all__ = ["DataMigration", "Deferred", "Row", "RowContext", "data_migration"]


def _saving() -> Any:
    """The door to what works on rows. A data migration is declared in every process of a project, and does something
    only where the database is open."""
    from midflight.migrations import saving

    return saving


class DataMigration(Declared):
    """A row function with the table that it is for. Made by ``data_migration``; called, it is the row function."""

    def apply(self, connection: Connection, key: Key) -> bool:
        """Derive the new form of one row from its old form and write it if it differs; return whether it was written.

        To be called by a save, in its transaction, after the old form was written. Does nothing while the new form is
        not written yet, and nothing once the old form is not written any more: then the save writes the new form
        itself. Until its process has heard of that, the whole transaction is run again, so a save asks ``db.form`` in
        its work, and not before. A row that is deferred stays as it is, and a row function that fails does not hinder
        the save: the row goes into quarantine. Once readers read the new form, a save must not be lost on them: the row
        function is told that it should not defer, and CannotDerive is
        raised where it fails. Raises LookupError if there is no such row.
        """
        written: bool = _saving().apply(self, connection, key)
        return written

    def store_manifest(self, connection: Connection) -> Manifest | None:
        """The manifest for ``to_json`` where a save writes the new form itself: that of the store floor, or of the
        migration's release if that is later, since nobody before it reads the new form."""
        return store_of(connection).manifest(self.release)

    def deriver(self, connection: Connection, *, fresh: bool = False) -> Deriver:
        """The row function on the table as the catalogue has it: now, if ``fresh``, else when it was first used.

        Raises ProjectError if the table, the key or a condition is not what the migration says.
        """
        found: Deriver = _saving().deriver(self, connection, fresh=fresh)
        return found


def data_migration(
    *, release: str, table: str, key: str | Sequence[str], todo: str = ALL, proof: str = ALL,
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
