"""Copies of production's database."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from midflight.db import tables
from midflight.db.clock import now
from midflight.db.cluster import Cluster, programs
from midflight.db.engine import create, parse, transaction
from midflight.errors import UsageError
from midflight.testing.copies import WRITTEN_BY, database_of, load
from midflight.testing.local_fleet import empty_database
from tests.testing.stores import store


def fleet_at(url: str) -> None:
    """A member, and an entry in the journal."""
    engine = create(parse(url))
    with transaction(engine, writes=True) as connection:
        tables.metadata.create_all(connection, [tables.members, tables.traffic, tables.journal], checkfirst=True)
        connection.execute(tables.journal.insert().values(at=now(), kind="pin.set", facts={}))
        connection.execute(tables.members.insert().values(
            id="api-1", service="api", host="h1", release="juno", manifest="0", state="active", joined_at=now(),
            seen_at=now(),
        ))  # fmt: skip
    engine.dispose()


def found_in(url: str) -> tuple[int, int]:
    """How many members there are, and entries in the journal."""
    engine = create(parse(url))
    with transaction(engine, writes=False) as connection:
        counts = [len(connection.execute(select(table)).all()) for table in (tables.members, tables.journal)]
    engine.dispose()
    return counts[0], counts[1]


def test_a_copy_has_all_but_the_members(tmp_path: Path) -> None:
    """Who works on the real database is none of a scratch fleet's, and would be lost there."""
    (file := tmp_path / "production.db").write_bytes(empty_database(store(tmp_path / "releases")))
    fleet_at(f"sqlite:///{file}")
    before = found_in(f"sqlite:///{file}")
    assert database_of(file) == "sqlite"
    load(file, url := f"sqlite:///{tmp_path / 'copy.db'}")
    assert before[0] == 1
    assert found_in(url) == (0, before[1])
    assert found_in(f"sqlite:///{file}") == before


@pytest.fixture
def scratch_url(postgres: Cluster) -> Iterator[str]:
    """Another empty database."""
    yield (url := postgres.create())
    postgres.drop(url)


@pytest.mark.parametrize("format_", ["custom", "plain"])
def test_what_pg_dump_wrote_is_loaded(format_: str, tmp_path: Path, postgresql_url: str, scratch_url: str) -> None:
    """In its own format, or as SQL."""
    fleet_at(postgresql_url)
    dump = tmp_path / "dump"
    subprocess.run([programs() / "pg_dump", f"--format={format_}", "--file", dump, postgresql_url], check=True)
    assert database_of(dump) == "postgresql"
    load(dump, scratch_url)
    assert found_in(scratch_url) == (0, 1)


def test_whom_tables_belonged_to_must_not_be_told(
    tmp_path: Path, postgres: Cluster, postgresql_url: str, scratch_url: str
) -> None:
    """A role is its server's, and here is another one; what is refused says how it is written."""
    with postgres.connect(parse(postgresql_url).database or "") as database:
        database.execute("CREATE ROLE prod")
        database.execute("CREATE TABLE things (id int)")
        database.execute("ALTER TABLE things OWNER TO prod")
        for name, options in (("told", []), ("untold", WRITTEN_BY.split()[1:])):
            command = [programs() / "pg_dump", *options, "--file", tmp_path / name, postgresql_url]
            subprocess.run(command, check=True)
        database.execute("DROP OWNED BY prod")
        database.execute("DROP ROLE prod")
    load(tmp_path / "untold", scratch_url)
    with postgres.connect(parse(scratch_url).database or "") as database:
        assert database.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'things'").fetchall() == [("mf",)]
    with pytest.raises(UsageError, match=rf'role "prod" does not exist; write it with {WRITTEN_BY}\.$'):
        load(tmp_path / "told", postgresql_url)


def test_of_what_postgresql_says_the_error_is_told(tmp_path: Path, postgresql_url: str) -> None:
    """What pg_restore says first is only where that was."""
    fleet_at(postgresql_url)
    command = [programs() / "pg_dump", "--format=custom", "--file", dump := tmp_path / "dump", postgresql_url]
    subprocess.run(command, check=True)
    with pytest.raises(UsageError, match=r"no dump that pg_restore takes: pg_restore: error: .*already exists"):
        load(dump, postgresql_url)


def test_what_is_no_dump_is_named_with_what_postgresql_says(tmp_path: Path, postgresql_url: str) -> None:
    """And what cannot be read, before that."""
    (file := tmp_path / "notes.txt").write_text("milk, bread")
    with pytest.raises(UsageError, match=r"notes\.txt is no dump that psql takes: .*syntax error"):
        load(file, postgresql_url)
    with pytest.raises(UsageError, match=r"--data .*nowhere cannot be read: No such file"):
        database_of(tmp_path / "nowhere")
