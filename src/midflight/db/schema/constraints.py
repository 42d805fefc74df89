"""Indexes and constraints on tables that are in use: for new rows at once, for the old ones without holding anybody
up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy import text

from midflight.db.schema.named import columns_of
from midflight.db.schema.run import Run, on_sqlite
from midflight.db.schema.steps import BuildIndex, SetNotNull, Validate
from midflight.db.schema.words import quoted, verbatim


def build_index(
    run: Run, name: str, table: str, columns: Sequence[str], *, unique: bool = False, where: str | None = None
) -> None:
    """On SQLite in the revision's transaction; on PostgreSQL afterwards, concurrently."""
    if not op.get_context().as_sql:
        columns_of(f"index {name!r}", table, *columns)
    if on_sqlite():
        condition: dict[str, Any] = {"sqlite_where": text(where)} if where else {}
        op.create_index(name, table, list(columns), unique=unique, **condition)
        return
    kind, condition_text = "UNIQUE INDEX" if unique else "INDEX", f" WHERE {where}" if where else ""
    listed = ", ".join(map(quoted, columns))
    statement = f"CREATE {kind} CONCURRENTLY {quoted(name)} ON {quoted(table)} ({listed}){condition_text}"
    run.steps.append(BuildIndex(table, name, statement))


def add_foreign_key(
    run: Run,
    name: str,
    table: str,
    columns: Sequence[str],
    other: str,
    other_columns: Sequence[str],
    ondelete: str | None,
) -> None:
    """On SQLite, only said."""
    here, there = (", ".join(map(quoted, names)) for names in (columns, other_columns))
    action = f" ON DELETE {ondelete}" if ondelete else ""
    _add(run, name, table, f"FOREIGN KEY ({here}) REFERENCES {quoted(other)} ({there}){action}")


def add_check(run: Run, name: str, table: str, condition: str) -> None:
    """On SQLite, only said."""
    _add(run, name, table, f"CHECK ({condition})")


def set_not_null(run: Run, table: str, column: str) -> None:
    """On SQLite, only said."""
    if on_sqlite():
        run.unheld.append(f"{table}.{column} may still be empty")
        return
    check = f"mf_{table}_{column}_not_null"[:63]
    _add(run, check, table, f"CHECK ({quoted(column)} IS NOT NULL)")
    run.steps.append(SetNotNull(table, column, check))


def _add(run: Run, name: str, table: str, constraint: str) -> None:
    if on_sqlite():
        run.unheld.append(f"{table} does not get {name}, {constraint}")
        return
    statement = f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} {constraint} NOT VALID"
    op.execute(verbatim(statement))
    run.steps.append(Validate(table, name))
