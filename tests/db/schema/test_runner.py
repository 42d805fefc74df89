from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, String, Table

from midflight.db import catalogue, forms, journal, sqlite, tables
from midflight.db.engine import Database, create, parse, transaction
from midflight.db.schema.line import own_line
from midflight.db.schema.runner import SchemaRunner
from midflight.db.write_form import Form
from midflight.errors import (
    DatabaseBusy,
    DatabaseUnreachable,
    ProjectError,
    SchemaBroken,
    SchemaBusy,
    SchemaTooNew,
)
from tests.db.schema.folders import add, juno_schema, juno_tables, kilo_schema, kilo_tables
from tests.engines import ON_SQLITE

OWN = [script.revision for script in own_line().files.line]
"""The framework's own revisions, which come first."""


@pytest.fixture
def url(database_url: str) -> str:
    """On each engine."""
    return database_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "schema"


@pytest.fixture
def juno(url: str, tmp_path: Path) -> SchemaRunner:
    return SchemaRunner(url, juno_schema(tmp_path / "juno"), juno_tables(), "juno")


@pytest.fixture
def kilo(url: str, folder: Path) -> SchemaRunner:
    return SchemaRunner(url, kilo_schema(folder), kilo_tables(), "kilo")


def look(url: str) -> set[str]:
    engine = create(parse(url))
    with transaction(engine, writes=False) as connection:
        found = catalogue.things(connection)
    engine.dispose()
    return found


def entries(url: str, kind: str) -> list[dict[str, object]]:
    engine = create(parse(url))
    with transaction(engine, writes=False) as connection:
        found = [entry.facts for entry in journal.read(connection, kind=kind)]
    engine.dispose()
    return found


def test_whole_life(url: str, juno: SchemaRunner, kilo: SchemaRunner) -> None:
    """Juno's schema, kilo's on top of it, then nothing more to do: each step says what it applied."""
    assert "table instances" in juno.missing()
    assert not Path(url.removeprefix("sqlite:///")).exists()
    assert juno.expand() == [*OWN, "0001"]
    assert (juno.missing(), juno.expand()) == ([], [])
    assert kilo.missing() == ["column instances.flavor", "index ix_host on instances"]
    assert kilo.status().pending == ("0002",)
    assert kilo.expand() == ["0002"]
    assert (kilo.missing(), kilo.expand(), kilo.status().pending) == ([], [], ())


def test_what_was_expanded_is_recorded(url: str, juno: SchemaRunner, kilo: SchemaRunner) -> None:
    """Which code expanded is kept with its digest, in the table and in the journal, once for each code."""
    juno.expand()
    kilo.expand(["flavor"])
    kilo.expand(["flavor"])
    status = kilo.status()
    assert (status.release, status.digest, status.revisions) == ("kilo", kilo.digest, (OWN[-1], "0002"))
    assert (juno.status().release, juno.status().digest == juno.digest) == ("kilo", False)
    facts = entries(url, "schema.expanded")
    assert [entry["revisions"] for entry in facts] == [[*OWN, "0001"], ["0002"]]
    assert facts[1] == {"release": "kilo", "digest": kilo.digest, "revisions": ["0002"], "forms": ["flavor"]}
    assert [entry["revision"] for entry in entries(url, "schema.revision_applied")] == [*OWN, "0001", "0002"]


def test_same_schema_of_a_new_release(url: str, juno: SchemaRunner, tmp_path: Path) -> None:
    """A release that brings no revision of its own is recorded as the one that expanded last."""
    juno.expand()
    fixed = SchemaRunner(url, juno_schema(tmp_path / "juno.1"), juno_tables(), "juno.1")
    assert (fixed.expand(), fixed.status().release) == ([], "juno.1")
    assert fixed.digest == juno.digest


def test_digest_sees_content(juno: SchemaRunner, url: str, tmp_path: Path) -> None:
    """One changed byte in a revision file changes the digest."""
    other = juno_schema(tmp_path / "other")
    (other / "expand" / "0001.py").write_text((other / "expand" / "0001.py").read_text() + "\n")
    assert SchemaRunner(url, other, juno_tables(), "juno").digest != juno.digest


async def test_forms_are_ensured(url: str, kilo: SchemaRunner) -> None:
    """Each data migration gets its form when the schema is expanded; one that has moved on stays where it is."""
    await asyncio.to_thread(kilo.expand, ["flavor"])
    database = await Database.open(url)
    assert await database.read(forms.current) == {"flavor": Form.BOTH_READ_OLD}
    await database.write(forms.advance, "flavor", Form.BOTH_READ_NEW)
    await asyncio.to_thread(kilo.expand, ["flavor", "power"])
    assert await database.read(forms.current) == {"flavor": Form.BOTH_READ_NEW, "power": Form.BOTH_READ_OLD}
    await database.close()


def test_own_revisions_keep_their_promise(url: str) -> None:
    """The framework's own revisions lead exactly to the framework's own tables."""
    runner = SchemaRunner(url, None, None, "unreleased")
    assert runner.expand() == OWN
    made = MetaData()
    engine = create(parse(url))
    with transaction(engine, writes=False) as connection:
        made.reflect(connection)
    engine.dispose()
    assert sorted(made.tables) == sorted([*tables.metadata.tables, "mf_version"])
    for name, promised in tables.metadata.tables.items():
        shape = [(column.name, column.nullable, column.primary_key) for column in made.tables[name].columns]
        assert shape == [(column.name, column.nullable, column.primary_key) for column in promised.columns]


def test_exception_half_way(url: str, folder: Path) -> None:
    """A revision that fails leaves nothing of itself, and those before it stay."""
    juno_schema(folder)
    add(folder / "expand", "0002", "0001", 'op.create_table("half", sa.Column("id", sa.Integer))\n    1 / 0')
    runner = SchemaRunner(url, folder, juno_tables(), "kilo")
    with pytest.raises(SchemaBroken) as broken:
        runner.expand()
    assert str(broken.value) == (
        "Revision 0002 (0002.py) did not do what it promised: ZeroDivisionError: division by zero. "
        "Nothing of it was kept."
    )
    assert "table half" not in look(url)
    assert (runner.status().revisions, runner.status().pending) == ((OWN[-1], "0001"), ("0002",))


def test_failing_statement(url: str, folder: Path) -> None:
    """A statement that the database refuses is told with the database's reason."""
    juno_schema(folder)
    add(
        folder / "expand",
        "0002",
        "0001",
        'op.create_table("half", sa.Column("id", sa.Integer))\n    op.execute("INSERT INTO nowhere VALUES (1)")',
    )
    with pytest.raises(SchemaBroken, match=r"promised: .*nowhere.*, in: INSERT INTO nowhere VALUES \(1\)\. Nothing"):
        SchemaRunner(url, folder, juno_tables(), "kilo").expand()


EXPAND = """
import sys
from pathlib import Path
from midflight.db.schema.runner import SchemaRunner
print(SchemaRunner(sys.argv[1], Path(sys.argv[2]), None, "kilo").expand())
"""


def expand_elsewhere(url: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", EXPAND, url, str(folder)], stdout=subprocess.PIPE, text=True)


def test_killed_half_way(url: str, folder: Path) -> None:
    """A runner that is killed in the middle of a revision leaves neither a part of it nor its lock."""
    juno_schema(folder)
    suicide = 'op.create_table("half", sa.Column("id", sa.Integer))\n    os.kill(os.getpid(), 9)'
    path = add(folder / "expand", "0002", "0001", suicide)
    with expand_elsewhere(url, folder) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    assert "table half" not in look(url)
    path.unlink()
    runner = SchemaRunner(url, kilo_schema(folder), kilo_tables(), "kilo")
    assert runner.status().revisions == (OWN[-1], "0001")
    assert runner.expand() == ["0002"]


def test_second_runner(url: str, folder: Path, tmp_path: Path) -> None:
    """A second expand is refused at once and told who is at work; when that one is done, it finds nothing to do."""
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    wait = f"open({str(begun)!r}, 'w').close()\n    while not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    add(folder / "expand", "0001", None, wait)
    with expand_elsewhere(url, folder) as first:
        wait_for(begun)
        second = SchemaRunner(url, folder, None, "kilo")
        with pytest.raises(SchemaBusy) as busy:
            second.expand()
        assert (busy.value.owner, busy.value.host) == (f"process {first.pid}", os.uname().nodename)
        assert "Another schema change is running: process" in str(busy.value)
        go_on.touch()
        assert first.communicate(timeout=60)[0] == f"{[*OWN, '0001']}\n"
    assert second.expand() == []


def wait_for(path: Path) -> None:
    patience = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < patience, f"{path.name} never came"
        time.sleep(0.01)


@ON_SQLITE
def test_busy_database(url: str, juno: SchemaRunner, kilo: SchemaRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that keeps the database locked is named as the reason; the same command works afterwards."""
    juno.expand()
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusy):
        kilo.expand()
    holder.execute("COMMIT")
    holder.close()
    assert kilo.expand() == ["0002"]


async def test_services_work_on_meanwhile(url: str, juno: SchemaRunner, kilo: SchemaRunner) -> None:
    """A service of the old release that is open goes on working on the expanded schema."""
    await asyncio.to_thread(juno.expand)
    database = await Database.open(url)
    instances = juno_tables().tables["instances"]
    await database.write(lambda connection: connection.execute(instances.insert().values(id=1, host="a")))
    await asyncio.to_thread(kilo.expand)
    await database.write(lambda connection: connection.execute(instances.insert().values(id=2, host="b")))
    rows = await database.read(lambda connection: connection.execute(instances.select()).all())
    assert [tuple(row) for row in rows] == [(1, "a"), (2, "b")]
    assert await database.read(catalogue.missing, tables.metadata, juno_tables()) == []
    await database.close()


def test_older_code(juno: SchemaRunner, kilo: SchemaRunner) -> None:
    """Code that is older than the schema finds all that it needs, and is refused when it would expand."""
    kilo.expand()
    assert (juno.missing(), juno.status().unknown) == ([], ("0002",))
    with pytest.raises(SchemaTooNew) as newer:
        juno.expand()
    assert str(newer.value) == (
        "The schema is newer than this code: it has revision 0002, which release juno does not know. Expand from the "
        "release that is to be deployed; services of juno may go on working."
    )


def test_revision_that_forgets(url: str, folder: Path) -> None:
    """A last revision that leaves out what the tables promise is undone, and told what it lacks."""
    juno_schema(folder)
    add(folder / "expand", "0002", "0001", 'op.add_column("instances", sa.Column("flavor", sa.JSON))')
    runner = SchemaRunner(url, folder, kilo_tables(), "kilo")
    with pytest.raises(
        SchemaBroken, match=r"Revision 0002 .* lacks index ix_host on instances: the tables in the code"
    ):
        runner.expand()
    assert "column instances.flavor" not in look(url)
    assert runner.status().pending == ("0002",)


def test_no_revision_at_all(url: str, juno: SchemaRunner, tmp_path: Path) -> None:
    """A promise for which there is no revision is found, though there is nothing to apply."""
    juno.expand()
    with pytest.raises(
        SchemaBroken, match=r"Revision 0001 .* lacks column instances.flavor, index ix_host on instances"
    ):
        SchemaRunner(url, juno_schema(tmp_path / "other"), kilo_tables(), "kilo").expand()


@pytest.mark.parametrize(
    ("upgrade", "reason"),
    [
        ('op.drop_column("instances", "host")', "it removed column instances.host; an expand revision only adds"),
        ('op.drop_table("flavors")', "it removed column flavors.id, table flavors"),
        ('op.rename_table("flavors", "kinds")', "it removed column flavors.id, table flavors"),
    ],
)
def test_not_additive(url: str, folder: Path, upgrade: str, reason: str) -> None:
    """An expand revision that takes away or copies is undone: the old release still reads and writes."""
    add(juno_schema(folder) / "expand", "0002", "0001", upgrade)
    before = look(url)
    with pytest.raises(SchemaBroken) as broken:
        SchemaRunner(url, folder, None, "kilo").expand()
    assert reason in str(broken.value)
    assert before <= look(url) >= {"table flavors", "column instances.host"}


@ON_SQLITE
def test_a_copy_of_a_table(url: str, folder: Path) -> None:
    """What SQLite cannot change in place, a revision must not copy under the services that write to it."""
    upgrade = 'with op.batch_alter_table("instances") as batch: batch.alter_column("host", nullable=False)'
    add(juno_schema(folder) / "expand", "0002", "0001", upgrade)
    with pytest.raises(SchemaBroken, match="it copies a whole table"):
        SchemaRunner(url, folder, None, "kilo").expand()
    assert look(url) >= {"table flavors", "column instances.host"}


def test_expression_index(url: str, folder: Path) -> None:
    """An index on an expression, which the inspector does not list, counts as there."""
    tables = juno_tables()
    add(
        folder / "expand",
        "0001",
        None,
        'op.create_table("t", sa.Column("name", sa.String))\n    '
        'op.create_index("ix_lower", "t", [sa.text("lower(name)")])',
    )
    runner = SchemaRunner(url, folder, tables, "kilo")
    with pytest.raises(SchemaBroken, match="lacks table flavors, table instances"):
        runner.expand()
    plain = MetaData()
    Table("t", plain, Column("name", String, index=False))
    assert SchemaRunner(url, folder, plain, "kilo").expand() == ["0001"]
    assert "index ix_lower on t" in look(url)


def test_a_revision_that_commits(url: str, folder: Path) -> None:
    """What would keep a part of a revision is refused before it is executed."""
    lines = 'op.create_table("half", sa.Column("id", sa.Integer))\n    op.execute(" COMMIT")'
    add(juno_schema(folder) / "expand", "0002", "0001", lines)
    with pytest.raises(SchemaBroken, match="it has COMMIT; a revision is one transaction, which the runner ends"):
        SchemaRunner(url, folder, juno_tables(), "kilo").expand()
    assert "table half" not in look(url)


def test_missing_folder(url: str, tmp_path: Path) -> None:
    """A schema folder that is not there is named."""
    with pytest.raises(ProjectError, match=r"nowhere/expand: there is no such folder"):
        SchemaRunner(url, tmp_path / "nowhere", None, "kilo")


@pytest.mark.parametrize(
    ("url", "reason"),
    [("sqlite://", "in memory"), ("mysql://db/x", "scheme 'mysql'"), ("sqlite:////no/where/x.db", "does not exist")],
)
def test_unreachable(url: str, reason: str, tmp_path: Path) -> None:
    """A database that cannot be expanded is one clear error."""
    with pytest.raises(DatabaseUnreachable, match=reason):
        SchemaRunner(url, juno_schema(tmp_path), None, "juno").expand()
    with pytest.raises(DatabaseUnreachable, match=reason):
        SchemaRunner(url, juno_schema(tmp_path), None, "juno").missing()
