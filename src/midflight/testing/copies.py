"""A copy of production's database, for a rehearsal: an SQLite file, or what pg_dump wrote; or one as large as it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import delete, inspect

from midflight.db import tables
from midflight.db.cluster import programs
from midflight.db.engine import create, parse, transaction
from midflight.db.lint import facts, rows
from midflight.errors import UsageError

WRITTEN_BY = "pg_dump --no-owner --no-privileges"
_SQLITE, _ARCHIVE = b"SQLite format 3\0", b"PGDMP"
_NO_ROLE = re.compile(r'role "[^"]*" does not exist')


def database_of(dump: Path) -> str:
    """``sqlite`` or ``postgresql``, by its first bytes; what is neither a file of SQLite's nor an archive of pg_dump's
    is taken for SQL. Raises UsageError for what cannot be read."""
    return "sqlite" if _head(dump).startswith(_SQLITE) else "postgresql"


def load(dump: Path, url: str) -> None:
    """Into an empty database of that kind. The members of the fleet that it was taken from are forgotten: they are not
    here. Whom its tables belonged to is not either: of an archive that is passed over, and SQL must not tell it. Raises
    UsageError with what PostgreSQL said."""
    if database_of(dump) == "sqlite":
        shutil.copyfile(dump, parse(url).database or "")
    elif _head(dump).startswith(_ARCHIVE):
        _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--dbname", url, dump)
    else:
        _run("psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--file", dump)
    _forget_members(url)


def fill(url: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Make so many rows in the tables of a database of PostgreSQL's, which are empty; how many there are then."""
    engine = create(parse(url))
    try:
        with transaction(engine, writes=True) as connection:
            rows.fill(connection, 1, counts=counts)
            return {table: facts.count(connection, table) for table in counts if inspect(connection).has_table(table)}
    finally:
        engine.dispose()


def _head(dump: Path) -> bytes:
    try:
        with dump.open("rb") as file:
            return file.read(len(_SQLITE))
    except OSError as wrong:
        raise UsageError(reason=f"--data {dump} cannot be read: {wrong.strerror}") from None


def _run(program: str, *words: str | Path) -> None:
    done = subprocess.run([programs() / program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(reason=f"--data {words[-1]} is no dump that {program} takes: {_first_error(done.stderr)}")


def _first_error(said: str) -> str:
    """What stands before it is only where that was. Roles are a server's, and in no dump: who wrote it is not here."""
    lines = said.strip().splitlines() or ["nothing"]
    first = next((line for line in lines if "error:" in line or "ERROR:" in line), lines[0])
    return f"{first}; write it with {WRITTEN_BY}" if _NO_ROLE.search(first) else first


def _forget_members(url: str) -> None:
    engine = create(parse(url))
    try:
        with transaction(engine, writes=True) as connection:
            there = inspect(connection).get_table_names()
            for table in (tables.members, tables.traffic):
                if table.name in there:
                    connection.execute(delete(table))
    finally:
        engine.dispose()
