"""What a revision names must be there. A database may take a wrong name without a word, and stumble over it at each
write from then on, or in a step that comes after the revision's transaction, when nothing can be taken back."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import NoSuchTableError

from midflight.errors import ProjectError
from midflight.spelling import meant

_MOST_NAMED = 20


def columns_of(where: str, table: str, *named: str) -> dict[str, ReflectedColumn]:
    """A table's columns, by name, where ``named`` are among them. Raises ProjectError at ``where``, with what is
    nearest to a wrong name. Only for a revision that is applied: a dry run reads nothing."""
    inspector = sa.inspect(op.get_bind())
    try:
        found = {column["name"]: column for column in inspector.get_columns(table)}
    except NoSuchTableError:
        near = nearest(table, inspector.get_table_names())
        raise ProjectError(where=where, reason=f"there is no table {table!r}{near}") from None
    for name in named:
        if name not in found:
            reason = f"table {table} has no column {name!r}{nearest(name, found)}"
            raise ProjectError(where=where, reason=reason)
    return found


def nearest(name: str, names: Iterable[str]) -> str:
    """For the end of a sentence about a name that is not among ``names``."""
    there = sorted(names)
    return meant(name, there) or (f"; there is {', '.join(there[:_MOST_NAMED])}" if there else "")
