"""How large production's tables are, and how much is written to them: what decides how bad a finding is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect

from midflight import toml
from midflight.db.schema.words import quoted, verbatim
from midflight.errors import ProjectError

FILE = "facts.toml"
"""In the schema folder."""

_HEADER = "# How large production's tables are, written by `midflight db facts --write`.\n\n"
_POSTGRESQL = """
SELECT s.relname, greatest(c.reltuples, s.n_live_tup)::bigint, pg_total_relation_size(c.oid),
       (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)
         / greatest(1, extract(epoch FROM now() - coalesce(d.stats_reset, pg_postmaster_start_time())))::float
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid, pg_stat_database d
WHERE d.datname = current_database() AND s.schemaname = current_schema() ORDER BY s.relname
"""


@dataclass(frozen=True)
class TableFacts:
    """Of one table: rows (estimated on PostgreSQL), bytes with its indexes, and rows written per second since the
    server counts. SQLite tells neither bytes nor a rate."""

    rows: int
    bytes: int = 0
    writes_per_second: float = 0.0

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {self.bytes / 1e6:,.1f} MB, {self.writes_per_second:,.1f} writes/s"


def gather(connection: Connection) -> dict[str, TableFacts]:
    """Those of a database, by table; the framework's own are left out."""
    if connection.dialect.name == "sqlite":
        return {name: TableFacts(count(connection, name)) for name in _tables(connection)}
    found = connection.execute(verbatim(_POSTGRESQL))
    return {name: TableFacts(rows, size, round(rate, 2)) for name, rows, size, rate in found if not _is_own(name)}


def write(schema: Path, facts: Mapping[str, TableFacts]) -> Path:
    """Keep them beside the revisions."""
    path = schema / FILE
    path.write_text(_HEADER + toml.dumps({table: asdict(known) for table, known in sorted(facts.items())}))
    return path


def read(schema: Path) -> dict[str, TableFacts]:
    """What was kept; nothing where nothing was. Raises ProjectError for a file that says something else."""
    path = schema / FILE
    try:
        return {table: TableFacts(**words) for table, words in tomllib.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as wrong:
        raise ProjectError(where=str(path), reason=f"has no facts about tables: {wrong}") from None


def _tables(connection: Connection) -> list[str]:
    return [name for name in sorted(inspect(connection).get_table_names()) if not _is_own(name)]


def count(connection: Connection, table: str) -> int:
    """The rows of a table, counted."""
    counted: int = connection.execute(verbatim(f"SELECT count(*) FROM {quoted(table)}")).scalar_one()  # noqa: S608  # a name
    return counted


def _is_own(table: str) -> bool:
    return table.startswith("mf_") or table == "alembic_version"
