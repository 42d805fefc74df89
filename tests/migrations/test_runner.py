from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text, update

from midflight.db import forms, journal
from midflight.db.engine import Database, transaction
from midflight.db.write_form import Form
from midflight.errors import ProjectError, StepBlocked, UsageError
from midflight.migrations import state
from midflight.migrations.online import DataMigration, Deferred, Row, RowContext
from midflight.migrations.progress import Progress
from midflight.migrations.runner import sweep
from midflight.migrations.state import State
from tests.engines import ON_SQLITE
from tests.migrations.cloud import (
    boot,
    instances,
    migrate_flavor_data,
    migrated,
    prove,
    ram_of,
    resize,
    settle,
    variant,
)

NAME = "migrate_flavor_data"


def run(connection: Connection, limit: int = 10, migration: DataMigration = migrate_flavor_data) -> tuple[str, int]:
    progress = sweep(connection, migration, limit)
    return str(progress), progress.exit_code


def runs(
    connection: Connection, limit: int = 10, migration: DataMigration = migrate_flavor_data
) -> list[tuple[str, int]]:
    """Run until there is no more to do, as an operator's loop does."""
    seen: list[tuple[str, int]] = []
    while len(seen) < 200:
        seen.append(run(connection, limit, migration))
        if seen[-1][1] != 1:
            return seen
    raise AssertionError("it never ends")


def test_chunks_of_ten(connection: Connection) -> None:
    """25 rows by chunks of ten: ten, ten, five; the last chunk proves that nothing is left."""
    for number in range(1, 26):
        boot(connection, number, ram=number)
    assert runs(connection) == [
        ("10 instances matched query, 10 completed", 1),
        ("10 instances matched query, 10 completed", 1),
        ("5 instances matched query, 5 completed", 0),
    ]
    assert [ram_of(connection, number) for number in range(1, 26)] == list(range(1, 26))
    assert run(connection) == ("0 instances matched query, 0 completed", 0)


def test_chunk_ends_with_the_table(connection: Connection) -> None:
    """A chunk that is full when the table ends knows that it is done."""
    for number in range(1, 21):
        boot(connection, number)
    assert [code for _, code in runs(connection)] == [1, 0]


def test_no_rows(connection: Connection) -> None:
    """An empty table is proven at once."""
    assert run(connection) == ("0 instances matched query, 0 completed", 0)


def test_the_seeds_line(connection: Connection) -> None:
    """Rows in transition are deferred and say why; failed ones are counted; then the work is done."""
    for number in range(1, 8):
        boot(connection, number)
    settle(connection, 1, 2, 3, task_state="resizing")
    settle(connection, 4, 5, task_state="error")
    settle(connection, 6, 7, task_state="broken")
    assert run(connection) == (
        "7 instances matched query, 0 completed (5 deferred: resizing 3, error 2; 2 failed)",
        3,
    )
    settle(connection, 6, 7)
    assert run(connection) == ("7 instances matched query, 2 completed (5 deferred: resizing 3, error 2)", 2)
    settle(connection, 1, 2, 3, 4, 5)
    assert run(connection) == ("5 instances matched query, 5 completed", 0)


@pytest.mark.parametrize("trouble", ["broken", "resizing"])
def test_bad_rows_in_front(connection: Connection, trouble: str) -> None:
    """60 rows that cannot be moved in front of 40 good ones: the 40 are moved, and the 60 are not forgotten."""
    for number in range(1, 101):
        boot(connection, number, task_state=trouble if number <= 60 else None)
    seen = runs(connection)
    assert (len(seen), migrated(connection)) == (10, 40)
    assert [line for line, _ in seen[:6]] == [seen[0][0]] * 6
    why = "60 failed" if trouble == "broken" else "60 deferred: resizing 60"
    assert seen[-1] == (f"70 instances matched query, 10 completed ({why})", 3 if trouble == "broken" else 2)


def test_deferred_rows_behind_the_cursor(connection: Connection) -> None:
    """A run that reaches the end without a match of its own still finds what was deferred before it."""
    boot(connection, 1, task_state="resizing")
    for number in range(2, 600):
        boot(connection, number)
    connection.execute(update(instances).where(instances.c.id > 1).values(flavor={"name": "m1", "ram": 512}))
    first = sweep(connection, migrate_flavor_data, 10)
    assert (str(first), first.more) == ("1 instances matched query, 0 completed (1 deferred: resizing 1)", True)
    second, last = sweep(connection, migrate_flavor_data, 10), sweep(connection, migrate_flavor_data, 10)
    assert (second.more, second.matched) == (True, 1)
    assert str(last) == "1 instances matched query, 0 completed (1 deferred: resizing 1)"
    assert (last.more, last.proven, last.exit_code) == (False, False, 2)


def test_which_rows_are_deferred(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the present pass are kept by their keys, over its chunks; one that is well by now is not among them
    after the next, and a proof says the same of all rows."""
    monkeypatch.setattr(state, "MOST_ROWS", 3)
    for number in range(1, 6):
        boot(connection, number, task_state=f"resizing {number}")

    def kept() -> Mapping[str, str]:
        return state.read(connection, NAME).deferred_rows

    assert sweep(connection, migrate_flavor_data, 2).more
    assert kept() == {"1": "resizing 1", "2": "resizing 2"}
    runs(connection, 2)
    assert kept() == {"1": "resizing 1", "2": "resizing 2", "3": "resizing 3"}
    settle(connection, 2)
    runs(connection, 10)
    assert kept() == {"1": "resizing 1", "3": "resizing 3", "4": "resizing 4"}
    settle(connection, 1)
    prove(connection, migrate_flavor_data)
    assert kept() == {"3": "resizing 3", "4": "resizing 4", "5": "resizing 5"}


def test_bounded_look(connection: Connection) -> None:
    """A chunk looks at 50 rows for each that it may match; one that found nothing says that it is not through. 120 rows
    are swept in three chunks, the last of which begins to verify them."""
    for number in range(1, 121):
        boot(connection, number)
    connection.execute(update(instances).values(flavor={"name": "m1", "ram": 512}))
    seen = runs(connection, 1)
    unfinished = ("0 instances matched query, 0 completed (not all rows were looked at yet)", 1)
    assert seen == [*[unfinished] * 4, ("0 instances matched query, 0 completed", 0)]


def test_content_not_presence(connection: Connection) -> None:
    """A new form that is there and says something else is matched; one that is only spelled differently is not."""
    for number in (1, 2, 3):
        boot(connection, number, ram=number)
    sweep(connection, migrate_flavor_data, 10)
    resize(connection, 2, 99)
    connection.execute(text("""UPDATE instances SET flavor = '{"ram": 3,   "name": "m1"}' WHERE id = 3"""))
    assert run(connection) == ("1 instances matched query, 1 completed", 0)
    assert ram_of(connection, 2) == 99


def test_written_behind_the_cursor(connection: Connection) -> None:
    """What an old writer changes behind the cursor is found at the end of the same pass and moved, within the limit."""
    for number in range(1, 16):
        boot(connection, number)
    sweep(connection, migrate_flavor_data, 10)
    for number in range(1, 8):
        resize(connection, number, 99)
    assert run(connection) == ("10 instances matched query, 10 completed", 1)
    assert run(connection) == ("2 instances matched query, 2 completed", 0)
    assert [ram_of(connection, number) for number in (1, 7, 8)] == [99, 99, 512]


def test_todo_narrows_the_first_pass_only(connection: Connection) -> None:
    """A todo that looks at presence speeds up the first pass and hides nothing from the proof."""
    narrow = variant(todo="flavor IS NULL")
    for number in range(1, 61):
        boot(connection, number)
    connection.execute(update(instances).where(instances.c.id < 59).values(flavor={"name": "m1", "ram": 1}))
    assert run(connection, 3, narrow) == ("3 instances matched query, 3 completed", 1)
    assert len(runs(connection, 10, narrow)) == 6
    assert all(ram_of(connection, number) == 512 for number in range(1, 61))


def test_cursor_and_counters_are_kept_with_the_rows(engine: Engine) -> None:
    """A chunk that is rolled back leaves neither rows nor cursor nor journal; one that is kept leaves all of them."""
    with transaction(engine, writes=True) as connection:
        for number in range(1, 26):
            boot(connection, number)

    def crash() -> None:
        with transaction(engine, writes=True) as connection:
            sweep(connection, migrate_flavor_data, 10)
            raise KeyError("the power failed")

    with pytest.raises(KeyError):
        crash()
    with transaction(engine, writes=True) as connection:
        assert (state.read(connection, NAME).state, migrated(connection)) == (State.PENDING, 0)
        assert journal.read(connection) == []
        sweep(connection, migrate_flavor_data, 10)
    with transaction(engine, writes=True) as connection:
        standing = state.read(connection, NAME)
        assert (standing.cursor.after, standing.matched, standing.completed, standing.state) == (
            10,
            10,
            10,
            State.SWEEPING,
        )
        assert [(entry.kind, entry.facts) for entry in journal.read(connection)] == [
            ("migration.sweeping", {"name": NAME, "rows": 25})
        ]


def test_standing_over_passes(connection: Connection) -> None:
    """Matched and completed rows add up over all chunks; deferred and failed ones are those of the present pass."""
    for number in range(1, 26):
        boot(connection, number, task_state={3: "resizing", 4: "broken"}.get(number))
    runs(connection)
    standing = state.read(connection, NAME)
    assert (standing.completed, standing.deferred, standing.failed) == (23, {"resizing": 1}, 1)
    assert (standing.state, standing.at_start, standing.passes, standing.proven_at) == (State.VERIFYING, True, 1, None)
    assert state.quarantined(connection, NAME) == {"4": "ValueError: instance 4 has no disk"}
    settle(connection, 3, 4)
    runs(connection)
    standing = state.read_all(connection)[NAME]
    assert (standing.completed, standing.deferred, standing.failed, standing.state) == (25, {}, 0, State.PROVEN)
    assert (standing.passes, state.quarantined(connection, NAME)) == (2, {})
    assert standing.proven_at is not None


def test_a_match_takes_the_proof_back(connection: Connection) -> None:
    """A migration that was proven is so no longer when a chunk finds a row that differs."""
    for number in range(1, 60):
        boot(connection, number)
    runs(connection, 100)
    resize(connection, 1, 99)
    settle(connection, 1, task_state="resizing")
    assert sweep(connection, migrate_flavor_data, 1).more
    assert (state.read(connection, NAME).state, state.read(connection, NAME).proven_at) == (State.VERIFYING, None)


COUNTER = itertools.count()


def returning(result: Any) -> DataMigration:
    def row_function(row: Row, db: RowContext) -> Any:
        return result() if callable(result) else result

    return variant(function=row_function)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"flavr": 1}, "ValueError: the row function returned flavr; the columns are id, host, task_state, flavor"),
        ({"id": 7}, "ValueError: the row function returned the key 'id', which stays as it is"),
        (None, "TypeError: the row function returned NoneType, expected a mapping of columns to values"),
        ({"flavor": {1, 2}}, "the new form was refused: Object of type set is not JSON serializable"),
        ({"flavor": {"a": {1}}}, "TypeError: Object of type set is not JSON serializable"),
        ({"host": 5}, "host was written and differs still: the row function gives another result each time, or"),
        (lambda: {"flavor": {"serial": next(COUNTER)}}, "flavor was written and differs still: the row function gives"),
        (lambda: [][0], "IndexError: list index out of range"),
        (lambda: sys.exit("no more"), "the row function called exit: no more"),
    ],
)
def test_impossible_results(connection: Connection, result: Any, error: str) -> None:
    """A row function that gives nothing that could be written and would stay fails and says so; nothing is kept."""
    boot(connection, 1)
    migration = returning(result)
    progress = sweep(connection, migration, 10)
    assert (progress.exit_code, list(progress.failed)) == (3, ["1"])
    assert error in progress.failed["1"]
    assert (migrated(connection), state.quarantined(connection, migration.name)) == (0, progress.failed)


@ON_SQLITE
def test_a_number_that_the_driver_refuses(connection: Connection) -> None:
    """It is the failure of its row, and not an error of the driver's."""
    boot(connection, 1)
    error = "the new form was refused: a value for the database: received a larger number"
    assert error in sweep(connection, returning({"host": 2**63}), 10).failed["1"]


def test_nothing_returned_while_the_proof_does_not_hold(connection: Connection) -> None:
    """A row that never comes to satisfy the proof condition is a failure, not an endless match."""
    boot(connection, 1)
    migration = variant(function=lambda row, db: {}, proof="flavor IS NOT NULL")
    progress = sweep(connection, migration, 10)
    assert progress.failed == {"1": "both forms agree, and yet the proof (flavor IS NOT NULL) does not hold"}
    assert progress.exit_code == 3


REFUSE = {
    "sqlite": ["CREATE TRIGGER no BEFORE UPDATE ON instances BEGIN SELECT RAISE(ABORT, 'not today'); END"],
    "postgresql": [
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$",
        "CREATE TRIGGER no BEFORE UPDATE ON instances FOR EACH ROW EXECUTE FUNCTION no()",
    ],
}
ALLOW = {"sqlite": "DROP TRIGGER no", "postgresql": "DROP TRIGGER no ON instances"}


def test_refused_writes_do_not_run_in_circles(connection: Connection) -> None:
    """More rows than a chunk takes that cannot be written: the operator's loop ends, and asks for a person."""
    for number in range(1, 26):
        boot(connection, number)
    for statement in REFUSE[connection.dialect.name]:
        connection.execute(text(statement))
    seen = runs(connection)
    assert seen[0] == ("10 instances matched query, 0 completed (10 failed)", 1)
    assert (len(seen), seen[-1]) == (5, ("25 instances matched query, 0 completed (25 failed)", 3))
    connection.execute(text(ALLOW[connection.dialect.name]))
    assert runs(connection, 25)[-1][1] == 0


@ON_SQLITE
def test_value_that_cannot_be_decoded(connection: Connection) -> None:
    """Garbage in the new form is replaced; garbage in what a row function reads is that row's failure alone."""
    for number in (1, 2):
        boot(connection, number)
    connection.execute(text("UPDATE instances SET flavor = '{oops' WHERE id = 1"))
    assert run(connection) == ("2 instances matched query, 2 completed", 0)

    def reads_it(row: Row, db: RowContext) -> Mapping[str, Any]:
        return {"host": row.flavor["name"]}

    connection.execute(text("UPDATE instances SET flavor = '{oops' WHERE id = 1"))
    assert run(connection, 10, variant(function=reads_it)) == ("2 instances matched query, 1 completed (1 failed)", 3)


def test_json_in_a_text_column(engine: Engine) -> None:
    """A column of text that holds JSON is compared by content and written as JSON."""
    with transaction(engine, writes=True) as connection:
        connection.execute(text("CREATE TABLE notes (name TEXT PRIMARY KEY NOT NULL, body TEXT)"))
        connection.execute(text("""INSERT INTO notes VALUES ('a', NULL), ('b', '{"n":  1}'), ('c', '{"n": 2}')"""))
        migration = variant(table="notes", key="name", function=lambda row, db: {"body": {"n": 1}})
        assert run(connection, 1, migration) == ("1 notes matched query, 1 completed", 1)
        assert run(connection, 1, migration) == ("1 notes matched query, 1 completed", 0)
        bodies = connection.scalars(text("SELECT body FROM notes ORDER BY name")).all()
        assert bodies == ['{"n": 1}', '{"n":  1}', '{"n": 1}']


def test_new_form(connection: Connection) -> None:
    """Once only the new form is written, nothing is derived from the old one any more."""
    boot(connection, 1, ram=1)
    sweep(connection, migrate_flavor_data, 10)
    forms.advance(connection, NAME, Form.BOTH_READ_NEW)
    forms.advance(connection, NAME, Form.NEW)
    resize(connection, 1, 99)
    assert run(connection) == ("0 instances matched query, 0 completed", 0)
    assert ram_of(connection, 1) == 1


def test_old_form(connection: Connection) -> None:
    """Before anybody keeps the new form up to date, there is no sweep."""
    forms.ensure(connection, [NAME])
    connection.execute(text("UPDATE mf_forms SET form = 'old'"))
    with pytest.raises(StepBlocked, match=r"advance it to 'both, read old' first"):
        sweep(connection, migrate_flavor_data, 10)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"table": "instance"}, "there is no table 'instance'; is the schema expanded?"),
        ({"key": "uuid"}, "table instances has no column 'uuid'; it has id, host, task_state, flavor"),
        ({"key": "host"}, "key 'host' of table instances is neither its primary key nor unique and not null"),
        ({"todo": "flavr IS NULL"}, "its todo (flavr IS NULL) or its proof (1 = 1): "),
        ({"proof": "flavor IS"}, "its todo (1 = 1) or its proof (flavor IS): "),
    ],
)
def test_mistakes(connection: Connection, changes: dict[str, str], reason: str) -> None:
    """A migration that does not fit the schema is one clear error that names it."""
    with pytest.raises(ProjectError) as mistake:
        sweep(connection, variant(**changes), 10)
    assert str(mistake.value).startswith(f"data migration {NAME}: {reason}")


def test_conditions_with_colons(connection: Connection) -> None:
    """A colon in a condition is a colon."""
    boot(connection, 1)
    migration = variant(todo="coalesce(host, ':x') <> 'a:b'", proof="host <> ':y'")
    assert run(connection, 10, migration) == ("1 instances matched query, 1 completed", 0)


def test_limit(connection: Connection) -> None:
    """A chunk has at least one row."""
    with pytest.raises(UsageError, match="at least 1; received 0"):
        sweep(connection, migrate_flavor_data, 0)


KILLED = """
import os, sys
from midflight.db.engine import create, parse, transaction
from midflight.migrations.runner import sweep
from tests.migrations.cloud import migrate_flavor_data, variant

def until_five(row, db):
    if row.id == 5:
        os.kill(os.getpid(), 9)
    return migrate_flavor_data(row, db)

with transaction(create(parse(sys.argv[1])), writes=True) as connection:
    sweep(connection, variant(function=until_five), 10)
"""


def test_killed_sweeper(engine: Engine) -> None:
    """A sweeper that is killed in the middle of a chunk leaves nothing of it, and the next one begins there again."""
    with transaction(engine, writes=True) as connection:
        for number in range(1, 11):
            boot(connection, number)
    url = engine.url.render_as_string()
    killed = subprocess.run([sys.executable, "-c", KILLED, url], cwd=Path(__file__).parents[2], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with transaction(engine, writes=True) as connection:
        assert migrated(connection) == 0
        assert run(connection) == ("10 instances matched query, 10 completed", 0)


async def test_two_sweepers(engine: Engine, database_url: str) -> None:
    """Two conductors that sweep in turn share one cursor; no row is matched twice."""
    with transaction(engine, writes=True) as connection:
        for number in range(1, 51):
            boot(connection, number)
    one, other = [await Database.open(database_url) for _ in range(2)]
    done = [await database.write(sweep, migrate_flavor_data, 10) for database in (one, other, one, other, one)]
    assert [progress.completed for progress in done] == [10] * 5
    assert [progress.exit_code for progress in done] == [1, 1, 1, 1, 0]
    await one.close()
    await other.close()


@pytest.mark.parametrize(
    ("progress", "line", "code"),
    [
        (Progress("instances", 10, 10, more=True), "10 instances matched query, 10 completed", 1),
        (Progress("instances", 10, 10, proven=True), "10 instances matched query, 10 completed", 0),
        (Progress("instances", proven=True), "0 instances matched query, 0 completed", 0),
        (
            Progress("instances", 1, 0, {"b": 1, "a": 1}),
            "1 instances matched query, 0 completed (2 deferred: a 1, b 1)",
            2,
        ),
        (Progress("instances", 1, 0, {"a": 1}, {"7": "no"}, more=True), "… (1 deferred: a 1; 1 failed)", 1),
        (Progress("instances", 1, 0, {"a": 1}, {"7": "no"}), "… (1 deferred: a 1; 1 failed)", 3),
        (Progress("instances", 3, 0, proven=True), "3 instances matched query, 0 completed", 1),
        (Progress("instances", 3, 3), "3 instances matched query, 3 completed", 1),
    ],
)
def test_lines_and_codes(progress: Progress, line: str, code: int) -> None:
    """The line says why, and matched without completed is never a success."""
    assert str(progress).endswith(line.removeprefix("…"))
    assert progress.exit_code == code


def test_deferred_reasons_are_text() -> None:
    """A reason may be any object; what counts is its text."""
    assert Deferred(5).reason == "5"
