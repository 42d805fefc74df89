"""What a contract revision is written with: it takes away what no release reads any more, or forbids what none writes.

    from midflight import contract

    revision, down_revision, depends_on = "0003c", "0002c", "0003"
    migrations = "migrate_flavor_data"   # refused until it is proven and finalized
    hold = timedelta(days=7)             # so long it stays hidden before it may be dropped; a day, without a word

    def upgrade():
        contract.drop_column("instances", "old_flavor")

``midflight db contract`` hides a column or a table first, under another name, and can bring it back (--undo); it
drops it only when nobody has missed it for as long as the revision says. What is forbidden, deleted or executed by a
revision's own SQL cannot be hidden, and is done with the drop.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

from midflight.db.schema import constraints
from midflight.db.schema.mirror import unmirror
from midflight.db.schema.removals import DropColumn, DropTable, Removal
from midflight.db.schema.run import Run, current, on_sqlite
from midflight.db.schema.steps import DeleteRows, DropIndex
from midflight.db.schema.words import quoted, verbatim

__all__ = [
    "add_check",
    "add_foreign_key",
    "add_unique_index",
    "delete_rows",
    "drop_column",
    "drop_index",
    "drop_table",
    "set_not_null",
]

_BRANCH = "contract"


def drop_column(table: str, column: str, *, mirrored_by: str | None = None) -> None:
    """Take a column away. ``mirrored_by`` is the column that expand.mirror_column keeps in step with it: that ends with
    the drop, and goes on while the column is hidden."""
    run = current(f"contract.drop_column({table!r}, {column!r})", _BRANCH)
    if mirrored_by is not None and run.is_purge:
        for statement in unmirror(table, mirrored_by, on_sqlite=on_sqlite()):
            op.execute(verbatim(statement))
    _remove(run, DropColumn(table, column, mirrored_by))


def drop_table(table: str) -> None:
    """Take a table away."""
    _remove(current(f"contract.drop_table({table!r})", _BRANCH), DropTable(table))


def drop_index(name: str, table: str) -> None:
    """Take an index away, while the table is written to."""
    run = current(f"contract.drop_index({name!r})", _BRANCH)
    if on_sqlite() and run.is_purge:  # where nobody waits for it, and a column goes only after its indexes
        op.execute(f"DROP INDEX IF EXISTS {quoted(name)}")
    run.steps.append(DropIndex(table, name))


def delete_rows(table: str, where: str) -> None:
    """Delete the rows for which an SQL condition holds, a thousand in a transaction."""
    current(f"contract.delete_rows({table!r})", _BRANCH).steps.append(DeleteRows(table, "", where))


def set_not_null(table: str, column: str) -> None:
    """Forbid a column to be empty. SQLite forbids nothing afterwards: there a table would be copied, and who contracts
    is told."""
    constraints.set_not_null(current(f"contract.set_not_null({table!r}, {column!r})", _BRANCH), table, column)


def add_check(name: str, table: str, condition: str) -> None:
    """Forbid what a condition is false for. SQLite forbids nothing afterwards."""
    constraints.add_check(current(f"contract.add_check({name!r})", _BRANCH), name, table, condition)


def add_foreign_key(
    name: str,
    table: str,
    columns: Sequence[str],
    other: str,
    other_columns: Sequence[str],
    *,
    ondelete: str | None = None,
) -> None:
    """Forbid rows whose other row is missing. SQLite forbids nothing afterwards."""
    run = current(f"contract.add_foreign_key({name!r})", _BRANCH)
    constraints.add_foreign_key(run, name, table, columns, other, other_columns, ondelete)


def add_unique_index(name: str, table: str, columns: Sequence[str], *, where: str | None = None) -> None:
    """Forbid two rows that say the same. It is built while the table is written to."""
    run = current(f"contract.add_unique_index({name!r})", _BRANCH)
    constraints.build_index(run, name, table, columns, unique=True, where=where)


def _remove(run: Run, removal: Removal) -> None:
    """The revision's own SQL is executed at the purge only; to look, or to hide, it is enough to know what goes."""
    run.removals.append(removal)
    if run.is_purge:
        op.execute(verbatim(removal.purge(was_held=run.was_held)))
