"""The table: instances whose flavor lies in two columns, and goes into one as an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Column, Connection, Index, Integer, MetaData, String, Table, text

from midflight.db.engine import create, parse, transaction
from midflight.db.schema.runner import SchemaRunner
from midflight.migrations.online import Row, RowContext, data_migration

metadata = MetaData()
instances = Table(
    "instances",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False),
    Column("host", String(64)),
    Column("flavor_name", String(64), nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("touched", Integer, nullable=False, server_default="0"),
    Column("flavor", JSON(none_as_null=True)),
    Index("ix_instances_host", "host"),
)

FILL = {
    "sqlite": """
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :rows)
        INSERT INTO instances (id, uuid, host, flavor_name, memory_mb)
        SELECT n, printf('%036d', n), 'host-' || (n % 100), 'm1.' || (n % 7), 512 * (1 + n % 9) FROM number
    """,
    "postgresql": """
        INSERT INTO instances (id, uuid, host, flavor_name, memory_mb)
        SELECT n, lpad(n::text, 36, '0'), 'host-' || (n % 100), 'm1.' || (n % 7), 512 * (1 + n % 9)
        FROM generate_series(1, :rows) n
    """,
}


def derive(row: Row | Any, db: RowContext | None) -> Mapping[str, Any]:
    """The row function of all contenders."""
    return {"flavor": {"name": row.flavor_name, "memory_mb": row.memory_mb}}


flavor_moves = data_migration(
    release="kilo", table="instances", key="id", todo="flavor IS NULL", proof="flavor IS NOT NULL"
)(derive)


def fill(url: str, rows: int) -> None:
    """Make the tables, and so many rows that nobody has migrated."""
    SchemaRunner(url, None, None, "juno").expand()
    engine = create(parse(url))
    with transaction(engine, writes=True) as connection:
        metadata.create_all(connection)
        connection.execute(text(FILL[engine.dialect.name]), {"rows": rows})
    if engine.dialect.name == "postgresql":
        raw = engine.raw_connection()  # no transaction is begun on it
        raw.cursor().execute("VACUUM ANALYZE instances")
        raw.close()
    engine.dispose()


def ask(url: str, query: str) -> Any:
    """One value."""
    engine = create(parse(url))

    def scalar(connection: Connection) -> Any:
        return connection.execute(text(query)).scalar()

    with transaction(engine, writes=False) as connection:
        found = scalar(connection)
    engine.dispose()
    return found
