"""What goes is hidden, may be brought back, and is dropped; and not before everybody can do without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text, update

from midflight.db import catalogue, journal, tables
from midflight.db.clock import now
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.contracting import ContractRunner, Way
from midflight.db.schema.refusals import Reader
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import ProjectError, SchemaBroken, StepBlocked
from tests.db.schema.folders import add, juno_schema
from tests.engines import ON_POSTGRESQL

JUNO = Reader(
    "juno", (1, 1), frozenset({"table instances", "column instances.id", "column instances.host", "table flavors"})
)
KILO = Reader("kilo", (2, 2), frozenset({"table instances", "column instances.id"}))

Contracting = Callable[..., ContractRunner]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Juno's schema, to which tests add contract revisions."""
    return juno_schema(tmp_path / "schema")


@pytest.fixture
def engine(database_url: str, folder: Path) -> Iterator[Engine]:
    """A database that is expanded, with a row in it; its store floor is kilo."""
    SchemaRunner(database_url, folder, None, "juno").expand()
    engine = create(parse(database_url))
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a')")
    with transaction(engine, writes=True) as connection:
        connection.execute(insert(tables.floor).values(id=1, store_floor="kilo", sequence=2))
    yield engine
    engine.dispose()


@pytest.fixture
def contracting(database_url: str, folder: Path, engine: Engine) -> Contracting:
    """A runner of kilo's code, with a contract revision of these lines."""

    def contracting(
        *lines: str, extra: str = "hold = timedelta(0)", readers: tuple[Reader, ...] = (JUNO, KILO)
    ) -> ContractRunner:
        add(folder / "contract", "c1", None, "\n    ".join(lines), extra=f"depends_on = '0001'\n{extra}")
        return ContractRunner(database_url, folder, "kilo", readers, patience=1)

    return contracting


def run(engine: Engine, *statements: str) -> None:
    with transaction(engine, writes=True) as connection:
        for statement in statements:
            connection.execute(text(statement))


def things(engine: Engine) -> set[str]:
    with transaction(engine, writes=False) as connection:
        return {thing for thing in catalogue.things(connection) if " mf_" not in thing}


def join(engine: Engine, member: str, release: str, state: str = "active") -> None:
    said: Mapping[str, Any] = {
        "service": "api",
        "host": "h",
        "manifest": "m",
        "topics": [],
        "database": True,
        "code": "",
    }
    seen = {"overrides": {}, "beat_seconds": 1.0, "epoch": 0, "joined_at": now(), "seen_at": now(), "facts": {}}
    with transaction(engine, writes=True) as connection:
        connection.execute(insert(tables.members).values(id=member, release=release, state=state, **said, **seen))


DROP = 'contract.drop_column("instances", "host")'


def test_the_whole_life(contracting: Contracting, engine: Engine) -> None:
    """Hidden, brought back with its rows, hidden again, dropped: the catalogue and the journal say each."""
    runner = contracting(DROP)
    before = things(engine)
    assert runner.run(Way.HOLD) == ["c1"]
    assert "column instances.host" not in things(engine)
    assert [(each.state, each.removes, against) for each, against in runner.status()] == [
        ("held", ["column instances.host"], [])
    ]
    assert runner.run(Way.HOLD) == []
    assert runner.run(Way.UNDO) == ["c1"]
    assert things(engine) == before
    run(engine, "UPDATE instances SET host = host || '!'")
    assert runner.run(Way.HOLD) == ["c1"]
    assert runner.run(Way.PURGE) == ["c1"]
    assert runner.run(Way.PURGE) == []
    assert things(engine) == before - {"column instances.host"}
    with transaction(engine, writes=False) as connection:
        kinds = [entry.kind for entry in journal.read(connection) if entry.kind.startswith("schema.")]
        assert "column instances.mf_held_host" not in catalogue.things(connection)
    assert kinds[-4:] == ["schema.held", "schema.brought_back", "schema.held", "schema.purged"]


def test_a_table(contracting: Contracting, engine: Engine) -> None:
    """The same for a table."""
    runner = contracting('contract.drop_table("flavors")')
    assert runner.run(Way.HOLD) == ["c1"]
    assert "table flavors" not in things(engine)
    assert runner.run(Way.UNDO) == ["c1"]
    assert "table flavors" in things(engine)
    assert [runner.run(Way.HOLD), runner.run(Way.PURGE)] == [["c1"], ["c1"]]
    assert "table flavors" not in things(engine)


def refused(runner: ContractRunner, way: Way = Way.HOLD) -> str:
    with pytest.raises(StepBlocked, match=r"Contracting c1 \(c1.py\)") as blocked:
        runner.run(way)
    assert blocked.value.exit_code == 2
    return blocked.value.reason


def test_a_data_migration_that_is_unproven(contracting: Contracting, engine: Engine) -> None:
    """It is named with its state, until it is proven, and then with its form, until it is finalized."""
    runner = contracting(DROP, extra="migrations = 'move'\nhold = timedelta(0)")
    assert "data migration move is pending, and not proven" in refused(runner)
    with transaction(engine, writes=True) as connection:
        facts: dict[str, Any] = {
            "state": "proven",
            "updated_at": now(),
            "cursor": {},
            "passes": 1,
            "matched": 0,
            "completed": 0,
        }
        row = facts | {"deferred": {}, "failed": 0}
        connection.execute(insert(tables.data_migrations).values(name="move", **row))
        connection.execute(insert(tables.forms).values(name="move", form="both, read new", epoch=1, set_at=now()))
    assert refused(runner) == "data migration move is proven, and at 'both, read new': midflight upgrade finalize"
    with transaction(engine, writes=True) as connection:
        connection.execute(update(tables.forms).values(form="new"))
    assert runner.run(Way.HOLD) == ["c1"]


def test_a_member_of_an_old_release(contracting: Contracting, engine: Engine) -> None:
    """It is named with what its code uses, also after it was hidden; one that has left does not count."""
    join(engine, "api-h-1", "juno")
    join(engine, "api-h-2", "kilo")
    join(engine, "api-h-0", "juno", state="retired")
    runner = contracting(DROP)
    assert refused(runner) == "member api-h-1 is of release juno, which uses column instances.host"
    run(engine, "UPDATE mf_members SET state = 'retired'")
    assert runner.run(Way.HOLD) == ["c1"]
    join(engine, "api-h-3", "juno")
    assert refused(runner, Way.PURGE) == "member api-h-3 is of release juno, which uses column instances.host"
    assert runner.run(Way.UNDO) == ["c1"]


def test_a_release_that_may_come_back(contracting: Contracting, engine: Engine) -> None:
    """As long as the store floor lets a release open the database, what it uses stays."""
    run(engine, "DELETE FROM mf_floor")
    runner = contracting(DROP)
    assert refused(runner).startswith("release juno may come back: the store floor was never raised")
    run(engine, "INSERT INTO mf_floor (id, store_floor, sequence) VALUES (1, 'juno', 1)")
    assert refused(runner).startswith("release juno may come back: the store floor is juno")


def test_a_fix_that_was_frozen_late_does_not_come_back_above_its_release(
    contracting: Contracting, engine: Engine
) -> None:
    """juno.1 has a higher number than kilo, and is below a floor of kilo all the same; not below one of juno.1."""
    late = Reader("juno.1", (1, 9), JUNO.things)
    runner = contracting(DROP, readers=(JUNO, late, KILO))
    run(engine, "UPDATE mf_floor SET store_floor = 'juno.1', sequence = 9")
    assert refused(runner).startswith("release juno.1 may come back: the store floor is juno.1")
    run(engine, "UPDATE mf_floor SET store_floor = 'kilo', sequence = 2")
    assert runner.run(Way.HOLD) == ["c1"]


def test_a_release_that_nobody_has_written_down(contracting: Contracting, engine: Engine) -> None:
    """Without frozen tables, a release may use anything; a member of a release that is not even known is named."""
    join(engine, "api-h-1", "juno")
    join(engine, "api-h-2", "havana")
    reason = refused(contracting(DROP, readers=(Reader("juno", (1, 1), None), KILO)))
    assert "member api-h-1 is of release juno, which uses column instances.host" in reason
    assert "member api-h-2 is of release havana, of which nothing is known here" in reason


def test_what_this_code_uses_itself(contracting: Contracting) -> None:
    """A revision that drops what the tables of its own release have is a mistake."""
    reason = refused(contracting(DROP, readers=(JUNO, Reader("kilo", (2, 2), JUNO.things))))
    assert reason.startswith("this code (kilo) itself has column instances.host in its tables")


def test_not_hidden_for_long_enough(contracting: Contracting) -> None:
    """What was never hidden, or for too short a time, is not dropped; the time that is left is told."""
    runner = contracting(DROP, extra="hold = timedelta(days=7)")
    assert refused(runner, Way.PURGE) == "it was not hidden yet: midflight db contract --hold"
    assert runner.run(Way.HOLD) == ["c1"]
    assert "and to stay so for 7.0 days more" in refused(runner, Way.PURGE)
    ((contract, against),) = runner.status()
    assert (contract.state, len(against)) == ("held", 1)


@pytest.mark.parametrize("span", ["40 hours", "100 minutes", "110 seconds"])
def test_the_time_that_is_left(contracting: Contracting, span: str) -> None:
    """It is told in the unit that fits."""
    number, unit = span.split()
    runner = contracting(DROP, extra=f"hold = timedelta({unit}={number})")
    runner.run(Way.HOLD)
    left = refused(runner, Way.PURGE).partition("to stay so for ")[2].split()
    assert left[1:] == [unit, "more"]
    assert float(number) - 15 < float(left[0]) <= float(number)


def test_its_expand_revision_is_not_applied(contracting: Contracting, folder: Path) -> None:
    """What depends on a revision that the schema lacks is refused."""
    add(folder / "expand", "0002", "0001", 'op.create_table("more", sa.Column("id", sa.Integer))')
    runner = contracting(DROP, extra="depends_on = '0002'")
    assert refused(runner) == "its expand revision 0002 is not applied"


@ON_POSTGRESQL
def test_a_column_that_must_be_written(contracting: Contracting, engine: Engine) -> None:
    """Hidden, it would keep everybody from inserting: it is refused, with the helper that comes first."""
    run(engine, "ALTER TABLE instances ALTER COLUMN host SET NOT NULL")
    assert "expand.relax_column('instances', 'host') comes first" in refused(contracting(DROP))


def test_rows_are_deleted_some_at_a_time(contracting: Contracting, engine: Engine) -> None:
    """A thousand in a transaction, until none is left; what cannot be hidden is done by the purge alone."""
    rows = ", ".join(f"({number}, 'old')" for number in range(2, 2503))
    run(engine, f"INSERT INTO instances (id, host) VALUES {rows}")
    runner = contracting('contract.delete_rows("instances", "host LIKE \'o%\'")')
    assert runner.run(Way.HOLD) == []
    assert runner.next_way() is Way.PURGE
    assert runner.run(Way.PURGE) == ["c1"]
    with transaction(engine, writes=False) as connection:
        assert connection.execute(text("SELECT id FROM instances")).scalars().all() == [1]


KILLED = """
import os, sys
from pathlib import Path
from midflight.db.schema import steps
from midflight.db.schema.contracting import ContractRunner, Way
from midflight.db.schema.refusals import Reader
deleted = []
def clear(self, connection):
    deleted.append(1)
    if len(deleted) == 2: os.kill(os.getpid(), 9)
    return ()
steps.DeleteRows.clear = clear
ContractRunner(sys.argv[1], Path(sys.argv[2]), "kilo", [Reader("kilo", (2, 2), frozenset())]).run(Way.PURGE)
"""


def test_killed_between_two_chunks(contracting: Contracting, engine: Engine, database_url: str, folder: Path) -> None:
    """The next one goes on where it was, and nothing else is lost."""
    rows = ", ".join(f"({number}, 'old')" for number in range(2, 1503))
    run(engine, f"INSERT INTO instances (id, host) VALUES {rows}")
    runner = contracting('contract.delete_rows("instances", "host LIKE \'o%\'")')
    killed = subprocess.run([sys.executable, "-c", KILLED, database_url, str(folder)], timeout=60)
    assert killed.returncode == -9
    with transaction(engine, writes=False) as connection:
        assert connection.execute(text("SELECT count(*) FROM instances")).scalar_one() == 502
    assert runner.run(Way.PURGE) == []
    with transaction(engine, writes=False) as connection:
        assert connection.execute(text("SELECT count(*) FROM instances")).scalar_one() == 1


def test_rows_that_can_never_be_deleted(contracting: Contracting, engine: Engine) -> None:
    """A condition that the database cannot read once the revision has dropped what it is about: the purge is refused
    as a whole, and the runner is free for others."""
    runner = contracting('contract.delete_rows("flavors", "gone > 1")', 'contract.drop_column("instances", "host")')
    with pytest.raises(SchemaBroken, match="gone.*in: SELECT 1 FROM"):
        runner.run(Way.PURGE)
    assert [each.state for each, _ in runner.status()] == ["waiting"]
    run(engine, "UPDATE instances SET host = 'still there'")


@ON_POSTGRESQL
def test_what_none_writes_is_forbidden(contracting: Contracting, engine: Engine) -> None:
    """NOT NULL by a check that was validated before, a unique index, a check: each as the catalogue says."""
    runner = contracting(
        'contract.set_not_null("instances", "host")',
        'contract.add_unique_index("ux_host", "instances", ["host"])',
        'contract.add_check("ck_host", "instances", "host <> \'\'")',
        'contract.add_foreign_key("fk_id", "flavors", ["id"], "instances", ["id"])',
    )
    assert runner.run(Way.PURGE) == ["c1"]
    with transaction(engine, writes=False) as connection:
        is_not_null = "SELECT attnotnull FROM pg_attribute WHERE attname = 'host' AND attrelid = 'instances'::regclass"
        assert connection.execute(text(is_not_null)).scalars().all() == [True]
        constraints = "SELECT conname, convalidated FROM pg_constraint WHERE conname LIKE '%k_%' ORDER BY conname"
        found = [tuple(row) for row in connection.execute(text(constraints))]
    assert [row for row in found if row[0] in ("ck_host", "fk_id")] == [("ck_host", True), ("fk_id", True)]
    assert not [row for row in found if row[0].startswith("mf_instances")]


@ON_POSTGRESQL
def test_what_a_row_does_not_keep_to(contracting: Contracting, engine: Engine) -> None:
    """It is told, and goes on when the rows are mended."""
    run(engine, "INSERT INTO instances (id) VALUES (2)")
    runner = contracting('contract.set_not_null("instances", "host")')
    with pytest.raises(SchemaBroken, match="is violated by some row"):
        runner.run(Way.PURGE)
    run(engine, "UPDATE instances SET host = 'b' WHERE id = 2")
    assert runner.run(Way.PURGE) == []
    with pytest.raises(Exception, match="null value"):
        run(engine, "INSERT INTO instances (id) VALUES (3)")


def test_an_index_goes(contracting: Contracting, engine: Engine) -> None:
    """An index is dropped without being hidden."""
    run(engine, "CREATE INDEX ix_host ON instances (host)")
    assert contracting('contract.drop_index("ix_host", "instances")').run(Way.PURGE) == ["c1"]
    assert "index ix_host on instances" not in things(engine)


def test_a_column_and_its_index(contracting: Contracting, engine: Engine) -> None:
    """Both go, on each engine; until then the column can be hidden and brought back with its index."""
    run(engine, "CREATE INDEX ix_host ON instances (host)")
    runner = contracting('contract.drop_index("ix_host", "instances")', DROP)
    assert [runner.run(Way.HOLD), runner.run(Way.UNDO)] == [["c1"], ["c1"]]
    assert {"index ix_host on instances", "column instances.host"} <= things(engine)
    assert [runner.run(Way.HOLD), runner.run(Way.PURGE)] == [["c1"], ["c1"]]
    assert not {"index ix_host on instances", "column instances.host"} & things(engine)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ('contract.drop_column("instances", "hots")', 'column instances.hots. Did you mean "column instances.host"?'),
        ('contract.drop_column("instance", "host")', 'column instance.host. Did you mean "column instances.host"?'),
        ('contract.drop_table("flavor")', 'table flavor. Did you mean "table flavors"?'),
        ('contract.drop_index("ix_hots", "instances")', 'index ix_hots on instances. Did you mean "index ix_host on'),
    ],
)
def test_what_is_to_go_must_be_there(contracting: Contracting, engine: Engine, line: str, missing: str) -> None:
    """A slip in a name is told by the status, and before anything is done: a drop of what there is not would be told
    as done, and the thing stay."""
    run(engine, "CREATE INDEX ix_host ON instances (host)")
    runner, before = contracting(line), things(engine)
    ((_, against),) = runner.status()
    assert [reason.startswith(f"there is no {missing}") for reason in against] == [True]
    assert refused(runner, runner.next_way()) == against[0]
    assert things(engine) == before


def test_needs_that_are_no_names(contracting: Contracting) -> None:
    """The file is named, and what is expected."""
    with pytest.raises(ProjectError, match=r"c1.py: received migrations = 3, expected a name, or several"):
        contracting(DROP, extra="migrations = 3").status()


MIRRORED = 'contract.drop_column("instances", "host", mirrored_by="node")'


@pytest.fixture
def mirrored(engine: Engine, folder: Path, database_url: str) -> Engine:
    """Instances whose node says the same as their host, who may not be empty."""
    node = 'expand.add_column("instances", sa.Column("node", sa.String))\n    '
    mirror = """expand.mirror_column("instances", "host", "node", forward="upper({})", back="lower({})")"""
    add(folder / "expand", "0002", "0001", node + mirror)
    SchemaRunner(database_url, folder, None, "kilo").expand()
    return engine


def rows(engine: Engine, *columns: str) -> list[tuple[Any, ...]]:
    with transaction(engine, writes=False) as connection:
        query = f"SELECT id, {', '.join(columns)} FROM instances ORDER BY id"
        return [tuple(row) for row in connection.execute(text(query))]


def test_the_end_of_a_mirror(contracting: Contracting, mirrored: Engine) -> None:
    """The old column of a rename is hidden, and goes with the triggers that kept it in step."""
    runner = contracting(MIRRORED)
    assert (runner.run(Way.HOLD), runner.run(Way.PURGE)) == (["c1"], ["c1"])
    run(mirrored, "UPDATE instances SET node = 'B'", "INSERT INTO instances (id, node) VALUES (2, 'C')")
    assert not {"column instances.host", "column instances.mf_held_host"} & things(mirrored)
    assert rows(mirrored, "node") == [(1, "B"), (2, "C")]


def test_a_mirror_goes_on_while_its_column_is_hidden(contracting: Contracting, mirrored: Engine) -> None:
    """So that it says what it would say if it had never been hidden, when somebody has missed it; again and again."""
    runner = contracting(MIRRORED)
    for number in (2, 3):
        assert runner.run(Way.HOLD) == ["c1"]
        run(
            mirrored,
            f"UPDATE instances SET node = 'N{number}'",
            f"INSERT INTO instances (id, node) VALUES ({number}, 'X')",
        )
        assert runner.run(Way.UNDO) == ["c1"]
        assert rows(mirrored, "host")[0] == (1, f"n{number}")
    run(mirrored, "UPDATE instances SET host = 'old' WHERE id = 1")
    assert rows(mirrored, "host", "node") == [(1, "old", "OLD"), (2, "n3", "N3"), (3, "x", "X")]


@pytest.mark.parametrize(
    ("said", "against"),
    [
        ('contract.drop_column("instances", "host")', "says no mirrored_by for column instances.host"),
        ('contract.drop_column("instances", "host", mirrored_by="nod")', "says mirrored_by='nod' for column"),
    ],
)
def test_a_mirror_that_would_be_left(contracting: Contracting, mirrored: Engine, said: str, against: str) -> None:
    """Its triggers would write a column that is gone, and so keep everybody from writing: it is refused, with their
    name."""
    for way in Way.HOLD, Way.PURGE:
        with pytest.raises(StepBlocked) as refused:
            contracting(said).run(way)
        assert f"{against}" in str(refused.value)
        assert "and the catalogue has mf_mirror_instances_node" in str(refused.value)
    assert "column instances.host" in things(mirrored)


def test_a_mirror_that_never_was(contracting: Contracting, engine: Engine) -> None:
    """A slip in the other column's name, or a mirror that was forgotten, is told before anything is hidden."""
    with pytest.raises(StepBlocked, match="says mirrored_by='node' for column instances.host, and .* has no mirror"):
        contracting(MIRRORED).run(Way.HOLD)


def test_a_drop_that_drops_nothing(contracting: Contracting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue has the last word: what is there still was not dropped, whatever the statement said."""
    monkeypatch.setattr("midflight.db.schema.removals.DropColumn.purge", lambda self, was_held: "SELECT 1")
    runner = contracting(DROP)
    runner.run(Way.HOLD)
    with pytest.raises(SchemaBroken, match="afterwards the catalogue still has column instances.mf_held_host"):
        runner.run(Way.PURGE)
    assert runner.status()[0][0].state == "held"


def test_a_purge_that_commits(contracting: Contracting, engine: Engine) -> None:
    """What would keep a part of a revision is refused before it is executed."""
    runner = contracting('op.drop_table("flavors")', 'op.execute("COMMIT")')
    with pytest.raises(SchemaBroken, match="it has COMMIT; a revision is one transaction"):
        runner.run(Way.PURGE)
    assert "table flavors" in things(engine)


def test_what_cannot_be_hidden_comes_first(
    contracting: Contracting, engine: Engine, folder: Path, database_url: str
) -> None:
    """A revision that deletes rows of a table is done before a later one hides that table, whoever is impatient; each
    way goes as far as it can, and without a word the next one is taken."""
    run(engine, "INSERT INTO flavors (id) VALUES (1)")
    runner = contracting(DROP)
    add(folder / "contract", "c2", "c1", 'contract.delete_rows("flavors", "true")')
    add(folder / "contract", "c3", "c2", 'contract.drop_table("flavors")', extra="hold = timedelta(0)")
    runner = ContractRunner(database_url, folder, "kilo", (KILO,), patience=1)
    comes_first = "c2 (c2.py) comes before it, and cannot be hidden: midflight db contract --purge"
    assert [against for _, against in runner.status()] == [[], [], [comes_first]]
    ways = []
    while any(each.state != "purged" for each, _ in runner.status()):
        if len(ways) == 1:
            with pytest.raises(StepBlocked, match=r"Contracting c3 .* c2 \(c2.py\) comes before it"):
                runner.run(Way.HOLD)
        ways.append((runner.next_way(), runner.run(runner.next_way())))
    assert ways == [(Way.HOLD, ["c1"]), (Way.PURGE, ["c1", "c2"]), (Way.HOLD, ["c3"]), (Way.PURGE, ["c3"])]
    assert not {"table flavors", "column instances.host"} & things(engine)


def test_the_sql_of_each_way(contracting: Contracting) -> None:
    """A dry run prints it, and does nothing."""
    runner = contracting(DROP)
    assert runner.plan(Way.HOLD) == [("c1", 'ALTER TABLE "instances" RENAME COLUMN "host" TO "mf_held_host";')]
    assert runner.plan(Way.UNDO) == []
    runner.run(Way.HOLD)
    assert runner.plan(Way.UNDO) == [("c1", 'ALTER TABLE "instances" RENAME COLUMN "mf_held_host" TO "host";')]
    assert runner.plan(Way.PURGE) == [("c1", 'ALTER TABLE "instances" DROP COLUMN "mf_held_host";')]


def test_a_hold_that_is_no_span(contracting: Contracting) -> None:
    """The file is named, and what is expected."""
    with pytest.raises(ProjectError, match=r"c1.py: received hold = 7, expected a timedelta"):
        contracting(DROP, extra="hold = 7").status()
