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

_KEY, _GIVEN, _WRITTEN, _DOUBTFUL = "mf_key", "mf_given", "mf_written", "mf_doubtful"
_AS_TEXT = (date, datetime, time, UUID, Decimal)


def can_write(columns: Sequence[Column[Any]]) -> bool:
    """Whether values of these columns can travel as JSON."""
    return not any(isinstance(each.type, LargeBinary | ARRAY) for each in columns)


def write(
    connection: Connection, table: Table, key: str, rows: Sequence[tuple[Any, Mapping[str, Any]]],
    columns: Sequence[str], proof: str,
) -> list[Any]:  # fmt: skip
    """Write these columns of rows, each row its own values, found by one column that is its key.

    Returns the keys of the rows that say something else than what they were given, or for which ``proof`` does not
    hold. Rows that are not there are not written.
    """
    names = {name: f"v_{place}" for place, name in enumerate(columns)}
    document = [{_KEY: found, **{names[name]: values[name] for name in columns}} for found, values in rows]
    typed = [column(_KEY, _unbound(table.c[key].type))]
    typed += [column(given, _unbound(table.c[name].type)) for name, given in names.items()]
    parameter = cast(bindparam(_GIVEN, json.dumps(document, default=_as_text), type_=Text), JSON)
    given = func.json_to_recordset(parameter).table_valued(*typed).render_derived(name=_GIVEN, with_types=True)
    values = {name: given.c[found] for name, found in names.items()}
    proven: ColumnElement[bool] = literal_column(f"coalesce(({proof}), false)")
    doubts = [cast(table.c[name], Text).is_distinct_from(cast(value, Text)) for name, value in values.items()]
    written = (
        update(table)
        .where(table.c[key] == given.c[_KEY])
        .values(values)
        .returning(table.c[key].label(_KEY), or_(proven.is_(False), *doubts).label(_DOUBTFUL))
        .cte(_WRITTEN)
    )
    found = connection.execute(select(written.c[_KEY]).where(written.c[_DOUBTFUL])).scalars()
    return [str(each) if isinstance(each, UUID) else each for each in found]


def _as_text(value: Any) -> str:
    if isinstance(value, _AS_TEXT):
        return str(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _unbound(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The same without a length, to which a cast would cut what an assignment refuses."""
    if isinstance(type_, String):
        return Text()
    return Numeric() if isinstance(type_, Numeric) else type_
