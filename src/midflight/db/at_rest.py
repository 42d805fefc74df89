"""Objects at rest, counted by version: in the JSON columns of a project's tables, some rows at a time, in a read.

Values are read as text, so that one that is no JSON is the trouble of its own row, and one row is decoded at a time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, Column, Connection, MetaData, Select, Table, Text, TypeDecorator, cast, select, tuple_
from sqlalchemy import type_coerce as as_stored
from sqlalchemy.types import NullType

from midflight.objects.rewrites import TAG

NO_OBJECT = "?"
"""What is counted where a value stands under the key of objects and names none."""

_NAMED = re.compile(r"([^\W\d]\w*:\d+\.\d+)~?")
_AT_ONCE = 50
"""Rows that the driver is asked for at once; their values may be large."""


@dataclass
class Chunk:
    """What is in some rows of one table."""

    rows: int = 0
    columns: list[str] = field(default_factory=list)
    found: dict[str, Counter[str]] = field(default_factory=dict)
    """Column → name and version of an object → how often it is in there, at any depth."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """Column → rows whose value is no JSON."""
    examples: dict[str, str] = field(default_factory=dict)
    """Column → the key of one of those."""
    unkeyed: list[str] = field(default_factory=list)
    """The table, if it has no primary key: its rows cannot be walked."""
    after: list[Any] = field(default_factory=list)
    """Where the next chunk begins; empty after the last."""


def count(connection: Connection, tables: MetaData, after: Sequence[Any], limit: int) -> Chunk:
    """The objects in up to ``limit`` rows, from the place on where the last chunk ended; ``()`` is the beginning.

    Tables come in the order of their names, their rows in that of their primary keys.
    """
    walked = sorted((table for table in tables.tables.values() if _columns(table)), key=lambda table: table.key)
    left = [table for table in walked if not after or table.key >= after[0]]
    if not left:
        return Chunk()
    key = after[1:] if after and after[0] == left[0].key else ()
    chunk, last = _walked(connection, left[0], key, limit)
    if last is not None:
        chunk.after = [str(left[0].key), *last]
    elif len(left) > 1:
        chunk.after = [str(left[1].key)]
    return chunk


def _columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if _is_json(column.type)]


def _is_json(type_: Any) -> bool:
    return isinstance(type_.impl_instance if isinstance(type_, TypeDecorator) else type_, JSON)


def _walked(connection: Connection, table: Table, after: Sequence[Any], limit: int) -> tuple[Chunk, list[Any] | None]:
    """What is in the rows behind a key, and the last one's key if there may be more."""
    chunk = Chunk(columns=[f"{table.name}.{column.name}" for column in _columns(table)])
    if not table.primary_key.columns:
        chunk.unkeyed = [str(table.name)]
        return chunk, None
    width, key = len(table.primary_key.columns), list[Any]()
    for row in connection.execute(_wanted(table, after, limit), execution_options={"yield_per": _AT_ONCE}):
        key = list(row[:width])
        chunk.rows += 1
        for column, text in zip(chunk.columns, row[width:], strict=True):
            _add(chunk, column, text, key)
    return chunk, key if chunk.rows == limit else None


def _wanted(table: Table, after: Sequence[Any], limit: int) -> Select[*tuple[Any, ...]]:
    keys = [as_stored(column, NullType()) for column in table.primary_key.columns]
    wanted = select(*keys, *(cast(column, Text) for column in _columns(table))).order_by(*keys).limit(limit)
    return wanted.where(tuple_(*keys) > tuple_(*after)) if after else wanted


def _add(chunk: Chunk, column: str, text: str | None, key: Sequence[Any]) -> None:
    if text is None:
        return
    try:
        named = Counter(_named(json.loads(text)))
    except (ValueError, RecursionError):
        chunk.unreadable[column] += 1
        chunk.examples.setdefault(column, ", ".join(map(str, key)))
        return
    if named:
        chunk.found.setdefault(column, Counter()).update(named)


def _named(value: Any) -> Iterator[str]:
    """What each object in a value says of itself, at any depth: ``Flavor:1.1``."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if TAG in each:
                yield _tag(each[TAG])
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _tag(value: Any) -> str:
    named = _NAMED.fullmatch(value) if isinstance(value, str) else None
    return named[1] if named else NO_OBJECT
