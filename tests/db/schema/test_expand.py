"""What expand revisions are written with."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from midflight import expand as helpers
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.run import Run
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import ProjectError, SchemaBroken
from tests.db.schema.folders import add, juno_schema
from tests.engines import ON_POSTGRESQL

Expand = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Juno's schema, to which tests add revision 0002."""
    return juno_schema(tmp_path / "schema")


@pytest.fixture
def expand(database_url: str, folder: Path) -> Expand:
    """Apply a revision 0002 of these lines to juno's schema."""
    SchemaRunner(database_url, folder, None, "juno").expand()

    def expand(*lines: str) -> list[str]:
        add(folder / "expand", "0002", "0001", "\n    ".join(lines))
        return SchemaRunner(database_url, folder, None, "kilo").expand()

    return expand


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create(parse(database_url))
    yield engine
    engine.dispose()


def run(engine: Engine, *statements: str) -> None:
    with transaction(engine, writes=True) as connection:
        for statement in statements:
            connection.execute(text(statement))


def ask(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine, writes=False) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def unfinished(url: str, folder: Path) -> tuple[str, ...]:
    return SchemaRunner(url, folder, None, "kilo").status().unfinished


def test_a_column(expand: Expand, engine: Engine) -> None:
    """It is there, with its default for the rows that were there before."""
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a')")
    expand('expand.add_column("instances", sa.Column("locks", sa.Integer, nullable=False, server_default="0"))')
    assert ask(engine, "SELECT host, locks FROM instances") == [("a", 0)]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ('sa.Column("x", sa.Integer, nullable=False)', "old releases do not write it"),
        ('sa.Column("x", sa.Integer, sa.ForeignKey("flavors.id"))', "without key, index or constraint"),
        ('sa.Column("x", sa.Integer, index=True)', "without key, index or constraint"),
        ('sa.Column("x", sa.Integer, unique=True)', "without key, index or constraint"),
        ('sa.Column("x", sa.Float, server_default=sa.text("random()"))', "every row would be written anew"),
        ('sa.Column("x", sa.Integer, sa.Computed("id + 1"))', "every row would be written anew"),
        ('sa.Column("x", sa.Integer, sa.Identity())', "every row would be written anew"),
    ],
)
def test_a_column_that_would_burden_others(expand: Expand, engine: Engine, column: str, reason: str) -> None:
    """It is refused before anything is done, with what to do instead."""
    with pytest.raises(ProjectError, match=r"expand.add_column\('instances', 'x'\)") as refused:
        expand(f'expand.add_column("instances", {column})')
    assert reason in str(refused.value)
    assert ask(engine, "SELECT * FROM instances") == []


@pytest.mark.parametrize("where", ["host <> 'x:y'", "instances.host IS NULL"])
def test_an_index(expand: Expand, database_url: str, folder: Path, where: str) -> None:
    """It is there, and nothing is left to do; its condition may name its table."""
    expand(f'expand.add_index("ix_host", "instances", ["host"], where="{where}")')
    status = SchemaRunner(database_url, folder, None, "kilo").status()
    assert (status.unfinished, status.pending) == ((), ())


def is_valid(engine: Engine, index: str) -> list[tuple[Any, ...]]:
    return ask(engine, f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{index}')")


@ON_POSTGRESQL
def test_an_index_is_built_while_others_write(expand: Expand, engine: Engine) -> None:
    """A transaction that has written to the table, and stays open until the index waits for it, loses nothing."""
    writer = engine.connect()
    writer.execution_options(writes=True)
    writer.begin()
    writer.execute(text("INSERT INTO instances (id, host) VALUES (1, 'a')"))

    def commit_when_it_waits() -> None:
        while not ask(engine, "SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"):
            pass
        run(engine, "INSERT INTO instances (id, host) VALUES (2, 'b')")
        writer.commit()

    other = threading.Thread(target=commit_when_it_waits)
    other.start()
    expand('expand.add_index("ix_host", "instances", ["host"])')
    other.join()
    writer.close()
    assert is_valid(engine, "ix_host") == [(True,)]
    assert ask(engine, "SELECT count(*) FROM instances") == [(2,)]


KILLED = """
import os, sys
from pathlib import Path
from midflight.db.schema import steps
from midflight.db.schema.run import Run
from midflight.db.schema.runner import SchemaRunner
steps.BuildIndex.clear = lambda *_: os.kill(os.getpid(), 9)
SchemaRunner(sys.argv[1], Path(sys.argv[2]), None, "kilo").expand()
"""


@ON_POSTGRESQL
def test_killed_before_a_step(database_url: str, folder: Path, engine: Engine) -> None:
    """A runner that is killed between a revision and its steps leaves them to the next one, which says so before."""
    SchemaRunner(database_url, folder, None, "juno").expand()
    lines = [
        'expand.add_column("instances", sa.Column("x", sa.Integer))',
        'expand.add_index("ix_x", "instances", ["x"])',
    ]
    add(folder / "expand", "0002", "0001", "\n    ".join(lines))
    killed = subprocess.run([sys.executable, "-c", KILLED, database_url, str(folder)], timeout=60)
    assert killed.returncode == -9
    assert unfinished(database_url, folder) == ("0002: index ix_x on instances",)
    assert is_valid(engine, "ix_x") == []
    assert SchemaRunner(database_url, folder, None, "kilo").expand() == []
    assert (is_valid(engine, "ix_x"), unfinished(database_url, folder)) == ([(True,)], ())


KILLED_AFTER = """
import os, sys
from pathlib import Path
from sqlalchemy import Engine, event
from midflight.db.schema.runner import SchemaRunner
left = [int(sys.argv[3])]
@event.listens_for(Engine, "after_cursor_execute")
def count(*_):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
SchemaRunner(sys.argv[1], Path(sys.argv[2]), None, "kilo").expand()
"""


@ON_POSTGRESQL
def test_killed_again_and_again(database_url: str, folder: Path, engine: Engine) -> None:
    """After each of its statements a bit later: every time it goes on, and in the end all is there, once."""
    SchemaRunner(database_url, folder, None, "juno").expand()
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a'), (2, 'b')")
    check = 'expand.add_check("ck_host", "instances", "host IS NOT NULL")'
    lines = [FLAVOR, 'expand.add_index("ix_flavor", "instances", ["flavor"])', check, FOREIGN_KEY]
    add(folder / "expand", "0002", "0001", "\n    ".join(lines))
    add(folder / "expand", "0003", "0002", 'expand.add_index("ix_host", "instances", ["host"])')
    kills, after = 0, 12
    while True:
        command = [sys.executable, "-c", KILLED_AFTER, database_url, str(folder), str(after)]
        if (code := subprocess.run(command, timeout=60).returncode) == 0:
            break
        assert code == -9
        kills, after = kills + 1, after + 12
    assert kills >= 4
    status = SchemaRunner(database_url, folder, None, "kilo").status()
    assert (status.pending, status.unfinished) == ((), ())
    assert is_valid(engine, "ix_flavor") == is_valid(engine, "ix_host") == [(True,)]
    constraints = (
        "SELECT conname FROM pg_constraint WHERE convalidated AND conname IN ('ck_host', 'fk_flavor') ORDER BY 1"
    )
    assert ask(engine, constraints) == [("ck_host",), ("fk_flavor",)]
    assert ask(engine, "SELECT count(*) FROM instances") == [(2,)]


@ON_POSTGRESQL
def test_what_a_failed_build_has_left(expand: Expand, engine: Engine) -> None:
    """An invalid index of the same name is dropped, and built again; the catalogue must say that it is valid."""
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a'), (2, 'a')")
    unfit = "CREATE UNIQUE INDEX CONCURRENTLY ix_host ON instances (host)"
    connection = engine.connect().execution_options(no_begin=True)
    with connection, pytest.raises(IntegrityError, match="could not create unique index"):
        connection.exec_driver_sql(unfit)
    assert is_valid(engine, "ix_host") == [(False,)]
    expand('expand.add_index("ix_host", "instances", ["host"])')
    assert is_valid(engine, "ix_host") == [(True,)]


FOREIGN_KEY = 'expand.add_foreign_key("fk_flavor", "instances", ["flavor"], "flavors", ["id"])'
FLAVOR = 'expand.add_column("instances", sa.Column("flavor", sa.Integer))'


@ON_POSTGRESQL
def test_a_foreign_key(expand: Expand, engine: Engine) -> None:
    """It is valid, for the rows that were there before too."""
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a')")
    expand(FLAVOR, FOREIGN_KEY)
    assert ask(engine, "SELECT convalidated FROM pg_constraint WHERE conname = 'fk_flavor'") == [(True,)]


@ON_POSTGRESQL
def test_a_check_that_rows_do_not_pass(expand: Expand, engine: Engine, database_url: str, folder: Path) -> None:
    """It holds for new rows, and is left to do until the old ones are mended; then the next runner goes on."""
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'bad: one')")
    with pytest.raises(SchemaBroken, match=r"valid constraint ck_host on instances\)?.*is violated by some row"):
        expand('expand.add_check("ck_host", "instances", "host <> \'bad: one\'")')
    assert unfinished(database_url, folder) == ("0002: valid constraint ck_host on instances",)
    run(engine, "UPDATE instances SET host = 'good'")
    assert SchemaRunner(database_url, folder, None, "kilo").expand() == []
    assert unfinished(database_url, folder) == ()


@ON_POSTGRESQL
def test_relaxed(expand: Expand, engine: Engine) -> None:
    """What this release does not write any more may stay empty."""
    run(engine, "ALTER TABLE instances ADD COLUMN strict TEXT NOT NULL")
    expand('expand.relax_column("instances", "strict")')
    run(engine, "INSERT INTO instances (id) VALUES (1)")


@ON_POSTGRESQL
def test_an_enum_value(expand: Expand, engine: Engine) -> None:
    """It can be stored afterwards."""
    run(engine, "CREATE TYPE power AS ENUM ('on', 'off')", "ALTER TABLE instances ADD COLUMN power power")
    expand('expand.add_enum_value("power", "half\'on")')
    run(engine, "INSERT INTO instances (id, power) VALUES (1, 'half''on')")


def test_two_columns_that_say_the_same(expand: Expand, engine: Engine) -> None:
    """Whoever writes one of them writes the other; who writes both is left alone."""
    node = 'expand.add_column("instances", sa.Column("node", sa.String))'
    expand(node, 'expand.mirror_column("instances", "host", "node")')
    run(
        engine,
        "INSERT INTO instances (id, host) VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO instances (id, node) VALUES (3, 'c')",
        "INSERT INTO instances (id, host, node) VALUES (4, 'd', 'D')",
        "UPDATE instances SET host = 'A' WHERE id = 1",
        "UPDATE instances SET node = 'B' WHERE id = 2",
        "UPDATE instances SET node = NULL WHERE id = 3",
    )
    found = ask(engine, "SELECT host, node FROM instances ORDER BY id")
    assert found == [("A", "A"), ("B", "B"), (None, None), ("d", "D")]


@ON_POSTGRESQL
def test_types_without_an_equality(expand: Expand, engine: Engine) -> None:
    """JSON is kept in step too, though PostgreSQL cannot say whether two of its texts are equal."""
    run(engine, """ALTER TABLE instances ADD COLUMN tags json DEFAULT '{"none": 1}'""")
    labels = 'expand.add_column("instances", sa.Column("labels", sa.JSON))'
    expand(labels, 'expand.mirror_column("instances", "tags", "labels")')
    run(
        engine,
        """INSERT INTO instances (id, tags) VALUES (1, '{"a": 1}'), (2, '{"b": 1}')""",
        """INSERT INTO instances (id, labels) VALUES (3, '{"c": 1}')""",
        """UPDATE instances SET tags = '{"a": 2}' WHERE id = 1""",
        """UPDATE instances SET labels = '{"b": 2}' WHERE id = 2""",
        "UPDATE instances SET host = 'h' WHERE id = 3",
    )
    found = ask(engine, "SELECT tags, labels FROM instances ORDER BY id")
    assert found == [({name: n}, {name: n}) for name, n in (("a", 2), ("b", 2), ("c", 1))]


def test_another_type(expand: Expand, engine: Engine) -> None:
    """A mirror may say the same in another type."""
    expand(
        'expand.add_column("instances", sa.Column("number", sa.BigInteger))',
        'expand.mirror_column("instances", "host", "number", forward="CAST({} AS BIGINT)", back="CAST({} AS VARCHAR)")',
    )
    run(
        engine, "INSERT INTO instances (id, host) VALUES (1, '17')", "INSERT INTO instances (id, number) VALUES (2, 18)"
    )
    assert ask(engine, "SELECT host, number FROM instances ORDER BY id") == [("17", 17), ("18", 18)]


LESS = 'expand.mirror_column("instances", "host", "node", forward="upper({})", back="lower({})"'


def test_a_form_that_cannot_say_all_of_the_other(expand: Expand, engine: Engine) -> None:
    """What was written stays as it is; only the other column follows."""
    expand('expand.add_column("instances", sa.Column("node", sa.String))', f"{LESS})")
    run(
        engine,
        "INSERT INTO instances (id, node) VALUES (1, 'Ab'), (2, 'Ab'), (3, 'Ab')",
        "UPDATE instances SET host = 'Cd' WHERE id = 2",
        "UPDATE instances SET node = 'Ef' WHERE id = 3",
    )
    found = ask(engine, "SELECT host, node FROM instances ORDER BY id")
    assert found == [("ab", "Ab"), ("Cd", "CD"), ("ef", "Ef")]


@pytest.mark.parametrize("said", ["", """, default="'nowhere'\""""])
def test_an_old_column_with_a_default(expand: Expand, engine: Engine, said: str) -> None:
    """Who inserts the new column alone has not meant the default, which the table says where nobody else does; who
    inserts neither has. Written on purpose beside another value, it is taken for not written."""
    expand(
        """expand.add_column("instances", sa.Column("at", sa.String, server_default="nowhere"))""",
        'expand.add_column("instances", sa.Column("node", sa.String))',
        f'expand.mirror_column("instances", "at", "node"{said})',
    )
    run(
        engine,
        "INSERT INTO instances (id, node) VALUES (1, 'a')",
        "INSERT INTO instances (id, at) VALUES (2, 'b')",
        "INSERT INTO instances (id) VALUES (3)",
        "INSERT INTO instances (id, at) VALUES (4, 'nowhere')",
        "INSERT INTO instances (id, at, node) VALUES (5, 'c', 'C'), (6, 'nowhere', 'd')",
    )
    found = ask(engine, "SELECT at, node FROM instances ORDER BY id")
    assert found == [("a", "a"), ("b", "b"), ("nowhere", "nowhere"), ("nowhere", "nowhere"), ("c", "C"), ("d", "d")]


def test_a_new_column_with_a_default(expand: Expand) -> None:
    """It would stand beside what was really written: it is refused, with the way out."""
    with pytest.raises(ProjectError, match=r"instances\.at has the default .*nowhere.*, which an insert of host alone"):
        expand(
            'expand.add_column("instances", sa.Column("at", sa.String, server_default="nowhere"))',
            'expand.mirror_column("instances", "host", "at")',
        )


@ON_POSTGRESQL
@pytest.mark.parametrize("numbered", ["serial", "integer GENERATED BY DEFAULT AS IDENTITY"])
def test_an_old_column_that_a_sequence_numbers(expand: Expand, numbered: str) -> None:
    """Each insert has another number, meant or not, and to ask for one is to use it up."""
    with pytest.raises(ProjectError, match=r"instances\.number is numbered by a sequence, .*: keep both in step by a"):
        expand(
            f'op.execute("ALTER TABLE instances ADD number {numbered}")',
            'expand.add_column("instances", sa.Column("size", sa.BigInteger))',
            'expand.mirror_column("instances", "number", "size")',
        )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            'expand.mirror_column("instances", "hots", "node")',
            "table instances has no column 'hots'. Did you mean \"host\"?",
        ),
        (
            'expand.mirror_column("instances", "host", "nod")',
            "table instances has no column 'nod'. Did you mean \"node\"?",
        ),
        (
            'expand.mirror_column("instance", "host", "node")',
            "there is no table 'instance'. Did you mean \"instances\"?",
        ),
        ('expand.mirror_column("instances", "zzz", "node")', "no column 'zzz'; there is host, id, node"),
        ('expand.relax_column("instances", "hots")', "table instances has no column 'hots'. Did you mean \"host\"?"),
        (
            'expand.add_index("ix", "instances", ["hots"])',
            "table instances has no column 'hots'. Did you mean \"host\"?",
        ),
    ],
)
def test_a_slip_in_a_name(expand: Expand, engine: Engine, line: str, reason: str) -> None:
    """It is told with the table, the column and the nearest name, and nothing of the revision is kept: a trigger on a
    column that is not there would refuse each write, and an index on one could never be built."""
    node = 'expand.add_column("instances", sa.Column("node", sa.String))'
    with pytest.raises(ProjectError, match=re.escape(reason)):
        expand(node, line)
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a')")
    assert ask(engine, "SELECT * FROM instances") == [(1, "a")]
    assert expand(node) == ["0002"]


@pytest.mark.parametrize(
    ("ways", "reason"),
    [
        ("""forward="uper({})\"""", "uper"),
        ("""back="lower(NEW.hots)||{}\"""", "hots"),
        ("""forward="upper(host)\"""", r"received 'upper\(host\)', expected {} in it"),
    ],
)
def test_a_slip_in_the_way_of_a_mirror(expand: Expand, engine: Engine, ways: str, reason: str) -> None:
    """It is told at once, and not by each write from then on."""
    node = 'expand.add_column("instances", sa.Column("node", sa.String))'
    with pytest.raises(ProjectError, match=rf"mirror_column\('instances', 'host', 'node'\).*{reason}"):
        expand(node, f'expand.mirror_column("instances", "host", "node", {ways})')
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a')")


@ON_POSTGRESQL
def test_a_mirror_is_tried_out_without_calling_anything(expand: Expand, engine: Engine) -> None:
    """A function that refuses NULL refuses no revision, and no number of a sequence is used up."""
    expand(
        """op.execute("CREATE SEQUENCE numbers")""",
        """op.execute("CREATE FUNCTION loud(said text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
               " IF said IS NULL THEN RAISE 'nothing is said'; END IF; RETURN upper(said); END $$")""",
        'expand.add_column("instances", sa.Column("node", sa.String))',
        """expand.mirror_column("instances", "host", "node", forward="loud({}) || nextval('numbers')")""",
    )
    run(engine, "INSERT INTO instances (id, host) VALUES (1, 'a')")
    assert ask(engine, "SELECT host, node FROM instances") == [("a", "A1")]


@ON_POSTGRESQL
def test_a_mirror_that_names_a_column_without_its_row(expand: Expand) -> None:
    """No trigger knows it: it is told at once."""
    with pytest.raises(ProjectError, match=r'column reference "id" is ambiguous'):
        expand(
            'expand.add_column("instances", sa.Column("node", sa.String))',
            'expand.mirror_column("instances", "host", "node", forward="{} || id")',
        )


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "line",
    [
        'expand.add_index("ix", "instances", ["host"], where="hots IS NULL")',
        'expand.add_index("ix", "instances", ["host"], where="host < now()::text")',
        'expand.add_index("ix", "instances", ["said"])',
    ],
)
def test_an_index_that_can_never_be_built(
    expand: Expand, database_url: str, folder: Path, engine: Engine, line: str
) -> None:
    """The revision is refused as a whole: a step that always fails would keep all later ones waiting."""
    said = 'expand.add_column("instances", sa.Column("said", sa.JSON))'
    with pytest.raises(SchemaBroken, match=r'in: CREATE INDEX ON pg_temp\."instances"'):
        expand(said, line)
    assert unfinished(database_url, folder) == ()
    assert expand(said, 'expand.add_index("ix", "instances", ["host"], where="host IS NULL")') == ["0002"]


def test_the_sql_is_shown_and_nothing_is_done(expand: Expand, database_url: str, folder: Path, engine: Engine) -> None:
    """A dry run prints each revision that is due with its statements, the later steps among them."""
    expand(FLAVOR)
    lines = ['expand.add_index("ix_flavor", "instances", ["flavor"])', 'op.execute("SELECT 1")']
    add(folder / "expand", "0003", "0002", "\n    ".join(lines))
    add(folder / "expand", "0004", "0003", "op.get_bind().execute(sa.text('SELECT 1')).scalar_one() + 1")
    runner = SchemaRunner(database_url, folder, None, "kilo")
    (three, sql), (four, unknown) = runner.plan()
    assert (three, four) == ("0003", "0004")
    assert "INDEX" in sql
    assert "ix_flavor" in sql
    assert "SELECT 1" in sql
    assert unknown.startswith("-- its SQL is known only when it runs")
    assert runner.status().pending == ("0003", "0004")


def test_outside_of_a_revision() -> None:
    """A helper works only where midflight applies a revision, and says so."""
    with pytest.raises(ProjectError, match="works only in a revision that midflight applies"):
        helpers.relax_column("instances", "host")


def test_in_the_wrong_branch(monkeypatch: pytest.MonkeyPatch, expand: Expand) -> None:
    """What only adds has no place in the contract branch."""
    monkeypatch.setattr("midflight.db.schema.runner.Run", lambda revision, branch: Run(revision, "contract"))
    with pytest.raises(ProjectError, match="revision 0002 is of the contract branch; this belongs into expand/"):
        expand('expand.relax_column("instances", "host")')
