"""A schema change on PostgreSQL does not wait for locks in front of others, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from midflight.db import catalogue
from midflight.db.engine import create, parse, transaction
from midflight.db.schema import session
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import SchemaBlocked, SchemaBroken
from tests.db.schema.folders import add, juno_schema, juno_tables, kilo_schema, kilo_tables


@pytest.fixture
def url(postgresql_url: str, tmp_path: Path) -> str:
    """A database with juno's schema."""
    SchemaRunner(postgresql_url, juno_schema(tmp_path / "juno"), juno_tables(), "juno").expand()
    return postgresql_url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create(parse(url))
    yield engine
    engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "schema"


def has(engine: Engine, thing: str) -> bool:
    with transaction(engine, writes=False) as connection:
        return thing in catalogue.things(connection)


def test_a_reader_that_does_not_end(url: str, engine: Engine, folder: Path) -> None:
    """When the patience is over, the one in the way is named with what it does and for how long; nothing was kept."""
    runner = SchemaRunner(url, kilo_schema(folder), kilo_tables(), "kilo", patience=0.5)
    with transaction(engine, writes=False) as reader:
        pid = reader.execute(text("SELECT pg_backend_pid()")).scalar_one()
        reader.execute(text("SELECT id FROM instances")).all()
        with pytest.raises(SchemaBlocked) as blocked:
            runner.expand()
    assert (blocked.value.pid, blocked.value.exit_code) == (str(pid), 75)
    assert "SELECT id FROM instances" in blocked.value.query
    assert f"SELECT pg_terminate_backend({pid})" in str(blocked.value)
    assert not has(engine, "column instances.flavor")
    assert runner.expand() == ["0002"]


def test_others_come_between_the_tries(url: str, engine: Engine, folder: Path) -> None:
    """While the change waits behind a reader, other readers go on; when it ends, the change is made."""
    runner, seen = SchemaRunner(url, kilo_schema(folder), kilo_tables(), "kilo"), list[int]()
    with transaction(engine, writes=False) as reader:
        reader.execute(text("SELECT id FROM instances")).all()
        change = threading.Thread(target=runner.expand)
        change.start()
        while len(seen) < 20:
            with transaction(engine, writes=False) as other:
                seen.append(len(other.execute(text("SELECT id FROM instances")).all()))
        assert change.is_alive()
    change.join(60)
    assert has(engine, "column instances.flavor")


def test_raw_sql_is_bound_too(url: str, engine: Engine, folder: Path) -> None:
    """Whatever a revision executes, it does not wait for longer than the others may."""
    add(juno_schema(folder) / "expand", "0002", "0001", 'op.execute("LOCK TABLE instances")')
    with transaction(engine, writes=False) as reader:
        reader.execute(text("SELECT id FROM instances")).all()
        with pytest.raises(SchemaBlocked):
            SchemaRunner(url, folder, None, "kilo", patience=0.2).expand()


def test_a_revision_that_frees_itself(url: str, folder: Path) -> None:
    """The bound is the runner's to set: a revision that sets another one is undone."""
    add(juno_schema(folder) / "expand", "0002", "0001", 'op.execute("SET lock_timeout = 0")')
    with pytest.raises(SchemaBroken, match="it sets lock_timeout"):
        SchemaRunner(url, folder, None, "kilo").expand()


def test_a_build_that_waits_for_an_old_transaction(
    url: str, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds nobody up, so it waits as long as the patience; then it is told who is in the way, and resumed later."""
    monkeypatch.setattr(session._InTheWay, "_EVERY", 0.01)
    add(juno_schema(folder) / "expand", "0002", "0001", 'expand.add_index("ix_host", "instances", ["host"])')
    runner = SchemaRunner(url, folder, None, "kilo", patience=0.5)
    with transaction(engine, writes=True) as writer:
        writer.execute(text("INSERT INTO instances (id) VALUES (1)"))
        with pytest.raises(SchemaBlocked, match="INSERT INTO instances") as blocked:
            runner.expand()
        assert "0002, index ix_host on instances" in str(blocked.value)
    assert runner.status().unfinished == ("0002: index ix_host on instances",)
    assert runner.expand() == []
    assert runner.status().unfinished == ()
