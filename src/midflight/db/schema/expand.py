"""What an expand revision is written with: each adds to a schema in such a way that nobody who works on it is held up.

    from midflight import expand

    def upgrade():
        expand.add_column("instances", sa.Column("locked_by", sa.String(255)))
        expand.add_index("ix_instances_locked_by", "instances", ["locked_by"])

On PostgreSQL, what takes long is done after the revision's own transaction: an index is built concurrently, a
constraint holds for new rows at once and is held against the old ones later. What is given wrongly raises
ProjectError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from midflight.db.engine import reason_of
from midflight.db.schema import constraints
from midflight.db.schema.mirror import mirror, trial
from midflight.db.schema.named import columns_of
from midflight.db.schema.run import current, on_sqlite
from midflight.db.schema.words import quoted, verbatim
from midflight.errors import ProjectError

__all__ = [
    "add_check",
    "add_column",
    "add_enum_value",
    "add_foreign_key",
    "add_index",
    "mirror_column",
    "relax_column",
]

_CONSTANT = re.compile(
    r"\s*(NULL|TRUE|FALSE|-?\d+(\.\d+)?|'([^']|'')*'(::\w+)?|now\(\)|CURRENT_TIMESTAMP)\s*", re.IGNORECASE
)
_BRANCH = "expand"


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column that those who do not know it may leave out: nullable, or with a constant server default.

    A constant does not touch the rows that are there. An index, a foreign key or a unique constraint is added by
    itself.
    """
    current(f"expand.add_column({table!r}, {column.name!r})", _BRANCH)
    _refuse_burdens(table, column)
    op.add_column(table, column)


def add_index(name: str, table: str, columns: Sequence[str], *, where: str | None = None) -> None:
    """Add an index, built while the table is written to. ``where`` is an SQL condition, for a part of the rows.

    An index that a killed or failed build of this name has left behind is dropped first; at the end the catalogue must
    say that the new one is valid. A unique index belongs into contract/, since old releases may write what it forbids.
    """
    constraints.build_index(current(f"expand.add_index({name!r})", _BRANCH), name, table, columns, where=where)


def add_foreign_key(
    name: str,
    table: str,
    columns: Sequence[str],
    other: str,
    other_columns: Sequence[str],
    *,
    ondelete: str | None = None,
) -> None:
    """Add a foreign key on columns that old releases leave empty. SQLite cannot: there a table would be copied, and who
    expands is told."""
    run = current(f"expand.add_foreign_key({name!r})", _BRANCH)
    constraints.add_foreign_key(run, name, table, columns, other, other_columns, ondelete)


def add_check(name: str, table: str, condition: str) -> None:
    """Add a check that rows of old releases pass. SQLite cannot: there a table would be copied, and who expands is
    told."""
    constraints.add_check(current(f"expand.add_check({name!r})", _BRANCH), name, table, condition)


def relax_column(table: str, column: str) -> None:
    """Let a column be empty that this release does not write any more, so that it can be dropped later.

    On SQLite a column stays as strict as it is, so that it must be written for as long as it is there.
    """
    run = current(where := f"expand.relax_column({table!r}, {column!r})", _BRANCH)
    if not op.get_context().as_sql:
        columns_of(where, table, column)
    if on_sqlite():
        run.unheld.append(f"{table}.{column} is as strict as before")
    else:
        op.execute(f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(column)} DROP NOT NULL")


def mirror_column(
    table: str, old: str, new: str, *, forward: str = "{}", back: str = "{}", default: str | None = None
) -> None:
    """Keep two columns in step, whoever writes either: for a rename, or another type.

    ``forward`` is the SQL expression for the new value, with ``{}`` where the old column stands, like ``"CAST({} AS
    BIGINT)"``; ``back`` is the opposite. ``default`` is the old column's server default, as SQL: who inserts the new
    column alone has not meant it. Left out, it is read from the table, which a dry run does not do. The new one has
    none, for the same reason, and the old one's is no sequence's, of which nobody can say whether it was meant. It goes
    by trigger, for rows that are written from now on; a data migration moves those that nobody writes.
    contract.drop_column(…, mirrored_by=new) takes the trigger away as well.
    """
    where = f"expand.mirror_column({table!r}, {old!r}, {new!r})"
    current(where, _BRANCH)
    for way in (forward, back):
        if "{}" not in way:
            raise ProjectError(where=where, reason=f"received {way!r}, expected {{}} in it, where the column stands")
    if not op.get_context().as_sql:
        default = _default(where, table, old, new, default)
        _try_out(where, trial(table, old, new, forward, back, on_sqlite=on_sqlite()))
    for statement in mirror(table, old, new, forward, back, default, on_sqlite=on_sqlite()):
        op.execute(verbatim(statement))


def add_enum_value(enum: str, value: str) -> None:
    """Add a value to a type of PostgreSQL's. Nobody may write it before every reader knows it: see grow-an-enum."""
    current(f"expand.add_enum_value({enum!r}, {value!r})", _BRANCH)
    if not on_sqlite():
        literal = value.replace("'", "''")
        op.execute(f"ALTER TYPE {quoted(enum)} ADD VALUE IF NOT EXISTS '{literal}'")


def _default(where: str, table: str, old: str, new: str, said: str | None) -> str | None:
    """The old column's default: what is said, else what the table has."""
    columns = columns_of(where, table, old, new).values()
    found = {column["name"]: "nextval()" if column.get("identity") else column["default"] for column in columns}
    if found.get(new) is not None:
        left = f"{table}.{new} has the default {found[new]}, which an insert of {old} alone would leave there"
        raise ProjectError(where=where, reason=f"{left}: give it none")
    default = said or found.get(old)
    if default is not None and "nextval(" in default:
        left = f"{table}.{old} is numbered by a sequence, and an insert of {new} alone would leave a number there"
        raise ProjectError(where=where, reason=f"{left}: keep both in step by a data migration")
    return default


def _try_out(where: str, statement: str) -> None:
    """No engine looks at what is in a trigger before somebody writes a row, and that one would be refused."""
    try:
        op.get_bind().execute(verbatim(statement))
    except DBAPIError as wrong:
        raise ProjectError(where=where, reason=f"{reason_of(wrong)}, in: {' '.join(statement.split())}") from wrong


def _refuse_burdens(table: str, column: sa.Column[Any]) -> None:
    where = f"expand.add_column({table!r}, {column.name!r})"
    if not column.nullable and column.server_default is None:
        reason = "old releases do not write it: make it nullable, or give it a server_default"
        raise ProjectError(where=where, reason=reason)
    if column.primary_key or column.unique or column.index or column.foreign_keys or column.constraints:
        reason = "it is added without key, index or constraint; expand.add_index and add_foreign_key add those"
        raise ProjectError(where=where, reason=reason)
    if column.computed is not None or column.identity is not None or not _is_constant(column.server_default):
        reason = "every row would be written anew; give it a constant server_default, or none"
        raise ProjectError(where=where, reason=reason)


def _is_constant(default: Any) -> bool:
    if default is None:
        return True
    argument = getattr(default, "arg", None)
    if isinstance(argument, str):
        return True
    return argument is not None and _CONSTANT.fullmatch(str(argument)) is not None
