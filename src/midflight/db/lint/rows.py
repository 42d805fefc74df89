"""Rows for a scratch database: each table gets some that keep to its types, keys and foreign keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from midflight.db.schema.words import quoted, verbatim

ROWS = 2000
"""So many that a scan reads more than a page, and few enough that a revision takes no time."""

_BY_TYPE = (
    (("interval",), "{n} * interval '1 second'"),
    (("smallint",), "({n} % 30000)::smallint"),
    (("int", "serial", "numeric", "real", "double", "float", "decimal"), "{n}"),
    (("bool",), "({n} % 2 = 0)"),
    (("json",), "'{{}}'"),
    (("uuid",), "md5({n}::text)::uuid"),
    (("timestamp",), "timestamp '2026-01-01' + {n} * interval '1 second'"),
    (("date",), "date '2026-01-01' + ({n} % 10000)::int"),
    (("time",), "time '00:00' + {n} * interval '1 second'"),
    (("bytea",), "'\\\\x00'::bytea"),
    (("inet", "cidr"), "('10.0.0.0'::inet + {n}::bigint)"),
    (("[]",), "'{{}}'"),
)
_WIDTH = text("""
SELECT format_type(atttypid, atttypmod), typtype, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = to_regclass(quote_ident(:table)) AND attname = :column
""")


@dataclass(frozen=True)
class Parent:
    """Where a foreign key leads."""

    table: str
    column: str


def fill(connection: Connection, rows: int = ROWS, *, counts: Mapping[str, int] | None = None) -> list[str]:
    """Fill the tables that are empty, with so many ``rows`` each, or, by table, as many as ``counts`` says. Returns
    those for which no rows could be made, which stay empty."""
    barren: list[str] = []
    for table in tables_in_order(connection):
        if _has_rows(connection, table):
            continue
        many = (counts or {}).get(table, rows)
        kept = connection.begin_nested()
        try:
            connection.execute(verbatim(_insert(connection, table, many)))
            _count_on(connection, table, many)
            kept.commit()
        except DBAPIError:
            kept.rollback()
            barren.append(table)
    return barren


def tables_in_order(connection: Connection) -> list[str]:
    """The project's tables, those first to which foreign keys lead."""
    found = [name for (name, _) in inspect(connection).get_sorted_table_and_fkc_names() if name is not None]
    return [name for name in found if not name.startswith(("mf_", "alembic_version"))]


def value(type_: str, n: str) -> str:
    """An SQL expression for the n-th value of a type, as ``format_type`` names it; an enum's first is for the
    caller."""
    lowered = type_.lower()
    if lowered.endswith("[]"):
        return f"CAST('{{}}' AS {type_})"
    for words, expression in _BY_TYPE:
        if any(word in lowered for word in words):
            return f"CAST({expression.format(n=n)} AS {type_})"
    width = lowered.partition("(")[2].rstrip(")") or "40"
    return f"CAST(right('v' || ({n})::text, {width}) AS {type_})"


def parents(connection: Connection, table: str) -> dict[str, Parent]:
    """Column → where its foreign key leads."""
    found: dict[str, Parent] = {}
    for key in inspect(connection).get_foreign_keys(table):
        for column, other in zip(key["constrained_columns"], key["referred_columns"], strict=True):
            found[column] = Parent(key["referred_table"], other)
    return found


def parent_value(parent: Parent, n: str) -> str:
    """The n-th of the values that a foreign key may have."""
    there, column = quoted(parent.table), quoted(parent.column)
    count = f"greatest((SELECT count(*) FROM {there}), 1)"  # noqa: S608  # names
    return f"(SELECT {column} FROM {there} ORDER BY {column} OFFSET ({n}) % {count} LIMIT 1)"  # noqa: S608  # names


def _insert(connection: Connection, table: str, rows: int) -> str:
    columns = dict(_columns(connection, table))
    names = ", ".join(map(quoted, columns))
    made = ", ".join(columns.values())
    return f"INSERT INTO {quoted(table)} ({names}) SELECT {made} FROM generate_series(1, {rows}) AS n"  # noqa: S608  # names


def _count_on(connection: Connection, table: str, rows: int) -> None:
    for column in inspect(connection).get_columns(table):
        if str(column["default"]).startswith("nextval"):
            names = {"table": quoted(table), "column": column["name"], "rows": rows}
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :rows)"), names)


def _columns(connection: Connection, table: str) -> Iterator[tuple[str, str]]:
    leads: Mapping[str, Parent] = parents(connection, table)
    for column in inspect(connection).get_columns(table):
        name = column["name"]
        if column.get("computed") or column.get("identity"):
            continue
        if name in leads and leads[name].table != table:
            yield name, _numbered(leads[name])
        elif name in leads:
            yield name, "NULL"
        else:
            yield name, _made(connection, table, name)


def _numbered(parent: Parent) -> str:
    there, column = quoted(parent.table), quoted(parent.column)
    every = f"(SELECT array_agg({column} ORDER BY {column}) FROM {there})"  # noqa: S608  # names
    return f"({every})[1 + ((n - 1) % (SELECT greatest(count(*), 1) FROM {there}))]"  # noqa: S608  # names


def _made(connection: Connection, table: str, column: str) -> str:
    type_, kind, name = connection.execute(_WIDTH, {"table": table, "column": column}).one()
    if kind == "e":
        return f"(enum_range(NULL::{quoted(name)}))[1]"
    return value(type_, "n")


def _has_rows(connection: Connection, table: str) -> bool:
    query = f"SELECT 1 FROM {quoted(table)} LIMIT 1"  # noqa: S608  # a name
    return connection.execute(verbatim(query)).one_or_none() is not None
