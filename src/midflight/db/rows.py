"""Rows that are read, changed and written back: nothing that others wrote meanwhile is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, update

from midflight.errors import Conflict


def update_row(
    connection: Connection, table: Table, row: Mapping[str, Any], values: Mapping[str, Any], *,
    revision: str = "revision",
) -> None:  # fmt: skip
    """Write the columns ``values`` into the row that was read as ``row``, if nobody has written it since.

    ``revision`` names an integer column that counts the writes, in ``row`` too; the row is found by the table's primary
    key. Raises Conflict, with nothing written, where another transaction has counted on, or the row is gone.
    """
    same = [column == row[column.name] for column in table.primary_key]
    counted = table.c[revision]
    written = update(table).where(*same, counted == row[revision]).values({**values, revision: counted + 1})
    if connection.execute(written).rowcount != 1:
        seen = str(row[revision])
        raise Conflict(object=table.name, field=revision, actual="another by now", expected=seen)
