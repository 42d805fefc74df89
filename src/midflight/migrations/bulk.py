"""Many rows written in one statement, where the database can say of each at once what became of it (PostgreSQL).

The rows travel as one JSON document, which costs a fraction of a parameter for each value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from midflight.migrations.keys import Key, parts_of

_GIVEN, _WRITTEN, _DOUBTFUL = "mf_given", "mf_written", "mf_doubtful"
_AS_TEXT = (date, datetime, time, UUID, Decimal)


def can_write(columns: Sequence[Column[Any]]) -> bool:
    """Whether values of these columns can travel as JSON."""
    return not any(isinstance(each.type, LargeBinary | ARRAY) for each in columns)


def write(
    connection: Connection, table: Table, key: Sequence[str], names: Sequence[str],
    rows: Mapping[Key, Sequence[Any]], proof: str,
) -> list[Key]:  # fmt: skip
    """Write these columns of rows, each row its own values, found by the columns of its key.

    Returns the keys of the rows that say something else than what they were given, or for which ``proof`` does not
    hold. Rows that are not there are not written.
    """
    as_key = {part: f"k_{place}" for place, part in enumerate(key)}
    as_value = {name: f"v_{place}" for place, name in enumerate(names)}
    given_names = [*as_key.values(), *as_value.values()]
    document = [dict(zip(given_names, (*parts_of(found), *values), strict=True)) for found, values in rows.items()]
    typed = [column(given, _unbound(table.c[name].type)) for name, given in (*as_key.items(), *as_value.items())]
    parameter = cast(bindparam(_GIVEN, json.dumps(document, default=_as_text), type_=Text), JSON)
    given = func.json_to_recordset(parameter).table_valued(*typed).render_derived(name=_GIVEN, with_types=True)
    values = {name: given.c[found] for name, found in as_value.items()}
    proven: ColumnElement[bool] = literal_column(f"coalesce(({proof}), false)")
    doubts = [cast(table.c[name], Text).is_distinct_from(cast(value, Text)) for name, value in values.items()]
    written = (
        update(table)
        .where(*(table.c[part] == given.c[found] for part, found in as_key.items()))
        .values(values)
        .returning(
            *(table.c[part].label(found) for part, found in as_key.items()),
            or_(proven.is_(False), *doubts).label(_DOUBTFUL),
        )
        .cte(_WRITTEN)
    )
    doubtful = select(*(written.c[found] for found in as_key.values())).where(written.c[_DOUBTFUL])
    return [_key_of(row) for row in connection.execute(doubtful)]


def _key_of(row: Sequence[Any]) -> Key:
    parts: tuple[Any, ...] = tuple(str(part) if isinstance(part, UUID) else part for part in row)
    return parts[0] if len(parts) == 1 else parts


def _as_text(value: Any) -> str:
    if isinstance(value, _AS_TEXT):
        return str(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _unbound(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The same without a length, to which a cast would cut what an assignment refuses."""
    if isinstance(type_, String):
        return Text()
    return Numeric() if isinstance(type_, Numeric) else type_
