"""What an expand revision needs of the releases before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text, update

from midflight.db import forms, journal, tables
from midflight.db.clock import now
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.contracting import ContractRunner, Way
from midflight.db.schema.refusals import Reader
from midflight.db.schema.runner import SchemaRunner
from midflight.db.write_form import Form
from midflight.errors import ProjectError, StepBlocked
from tests.db.schema.folders import add, juno_schema

CREATE = 'op.create_table("t", sa.Column("id", sa.Integer))'
NEEDS = "migrations = 'move'\ncontracts = 'c1'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Juno's schema; kilo's contract revision, which deletes old rows; liberty's expand revision, which needs it."""
    folder = juno_schema(tmp_path / "schema")
    rows = 'contract.delete_rows("instances", "host IS NOT NULL")'
    add(folder / "contract", "c1", None, rows, extra="depends_on = '0001'\nmigrations = 'move'")
    add(folder / "expand", "0002", "0001", CREATE, extra=NEEDS)
    return folder


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create(parse(database_url))
    yield engine
    engine.dispose()


@pytest.fixture
def worked_on(database_url: str, tmp_path: Path, engine: Engine) -> Engine:
    """A database that a release before has expanded."""
    SchemaRunner(database_url, juno_schema(tmp_path / "before"), None, "kilo").expand()
    with transaction(engine, writes=True) as connection:
        connection.execute(text("INSERT INTO instances (id, host) VALUES (1, 'a')"))
    return engine


def runner(database_url: str, folder: Path) -> SchemaRunner:
    return SchemaRunner(database_url, folder, None, "liberty")


def prove(engine: Engine, form: Form) -> None:
    """What `midflight data run` and `upgrade finalize` leave behind."""
    row = {"state": "proven", "updated_at": now(), "cursor": {}, "passes": 1, "matched": 0, "completed": 0}
    with transaction(engine, writes=True) as connection:
        connection.execute(insert(tables.data_migrations).values(name="move", deferred={}, failed=0, **row))
        connection.execute(insert(tables.forms).values(name="move", form=form.value, epoch=1, set_at=now()))


def purge(database_url: str, folder: Path) -> None:
    ContractRunner(database_url, folder, "kilo", [Reader("kilo", (2, 2), frozenset())]).run(Way.PURGE)


def test_each_need_is_named_until_it_is_met(worked_on: Engine, database_url: str, folder: Path) -> None:
    """An earlier data migration is unproven, then not finalized; an earlier contract revision waits. Nothing is kept,
    the command's code is 2, and the status says what the refusal does."""
    liberty = runner(database_url, folder)

    def refused() -> str:
        with pytest.raises(StepBlocked, match=r"^Expanding by 0002 is refused: ") as blocked:
            liberty.expand()
        assert blocked.value.exit_code == 2
        assert (found := liberty.status()).pending == ("0002",)
        assert "; ".join(found.against) == blocked.value.reason
        return blocked.value.reason

    waits = "0002: contract revision c1 is waiting, and not purged: midflight db contract --purge, from a copy of the"
    assert refused().startswith("0002: data migration move is pending, and not proven: midflight data run move, from")
    prove(worked_on, Form.BOTH_READ_NEW)
    assert refused().startswith("0002: data migration move is proven, and at 'both, read new': midflight upgrade")
    with transaction(worked_on, writes=True) as connection:
        connection.execute(update(tables.forms).values(form=Form.NEW.value))
    assert refused().startswith(waits)
    purge(database_url, folder)
    assert liberty.expand() == ["0002"]
    assert liberty.status().against == ()


def test_what_cannot_follow_is_told_before_the_first_of_them(
    worked_on: Engine, database_url: str, folder: Path
) -> None:
    """A revision that needs nothing is not applied alone, where one behind it is refused."""
    (folder / "expand" / "0002.py").unlink()
    add(folder / "expand", "0002", "0001", CREATE)
    add(folder / "expand", "0003", "0002", 'op.create_table("u", sa.Column("id", sa.Integer))', extra=NEEDS)
    liberty = runner(database_url, folder)
    with pytest.raises(StepBlocked, match=r"Expanding by 0002, 0003 is refused: 0003: data migration move"):
        liberty.expand()
    assert liberty.status().pending == ("0002", "0003")


def test_a_new_database_needs_nothing(database_url: str, folder: Path, engine: Engine) -> None:
    """There is no row in an old form: it is expanded at once, and whoever still knows the old form writes the new one
    alone."""
    assert runner(database_url, folder).expand()[-2:] == ["0001", "0002"]
    with transaction(engine, writes=False) as connection:
        assert forms.current(connection) == {"move": Form.NEW}
        began = [entry.facts for entry in journal.read(connection, kind="form.began")]
    assert began == [{"name": "move", "form": "new"}]
    purge(database_url, folder)


@pytest.fixture
def half_made(database_url: str, folder: Path, engine: Engine) -> Engine:
    """A database whose first runner was killed behind revision 0001."""
    file = folder / "expand" / "0002.py"
    content = file.read_text()
    file.unlink()
    runner(database_url, folder).expand()
    file.write_text(content)
    with transaction(engine, writes=True) as connection:
        connection.execute(tables.schema.delete())
    return engine


def test_a_database_is_new_until_somebody_works_on_it(half_made: Engine, database_url: str, folder: Path) -> None:
    """Also where its first runner was killed half-way; but a member may have written old forms."""
    assert runner(database_url, folder).status().against == ()
    with transaction(half_made, writes=True) as connection:
        facts = {"service": "api", "host": "h", "release": "kilo", "manifest": "m", "topics": [], "database": True}
        times = {"beat_seconds": 1.0, "joined_at": now(), "seen_at": now()}
        row = facts | times | {"code": "", "overrides": {}, "state": "retired", "epoch": 0, "facts": {}}
        connection.execute(insert(tables.members).values(id="api-h-1", **row))
    assert "0002: data migration move is pending" in runner(database_url, folder).status().against[0]


def test_what_another_tool_has_made_is_not_new(half_made: Engine, database_url: str, folder: Path) -> None:
    """Revisions of which the journal knows nothing may have rows behind them."""
    with transaction(half_made, writes=True) as connection:
        connection.execute(tables.journal.delete())
    with pytest.raises(StepBlocked, match="data migration move is pending"):
        runner(database_url, folder).expand()


def test_a_contract_revision_that_is_in_no_file(worked_on: Engine, database_url: str, folder: Path) -> None:
    """A slip in the name is told with the file."""
    (folder / "expand" / "0002.py").unlink()
    add(folder / "expand", "0002", "0001", CREATE, extra="contracts = 'c9'")
    with pytest.raises(ProjectError, match=r"0002.py: contracts names revision c9, which is in no file"):
        runner(database_url, folder).expand()
