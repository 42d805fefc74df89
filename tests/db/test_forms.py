from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from midflight.db import forms, journal, tables
from midflight.db.engine import create, parse, transaction
from midflight.db.epoch import current_epoch, next_epoch
from midflight.db.write_form import Form
from midflight.errors import StepBlocked

LEGAL = {
    (Form.OLD, Form.BOTH_READ_OLD),
    (Form.BOTH_READ_OLD, Form.BOTH_READ_NEW),
    (Form.BOTH_READ_NEW, Form.NEW),
    (Form.BOTH_READ_NEW, Form.BOTH_READ_OLD),
}


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        tables.metadata.create_all(connection)
        yield connection
    engine.dispose()


def put(connection: Connection, name: str, form: Form) -> None:
    forms.ensure(connection, [name])
    connection.execute(tables.forms.update().values(form=form.value))


@pytest.mark.parametrize(
    ("form", "writes_old", "writes_new", "reads_new"),
    [
        (Form.OLD, True, False, False),
        (Form.BOTH_READ_OLD, True, True, False),
        (Form.BOTH_READ_NEW, True, True, True),
        (Form.NEW, False, True, True),
    ],
)
def test_truth_table(form: Form, writes_old: bool, writes_new: bool, reads_new: bool) -> None:
    """Each form says who writes what and what is read."""
    assert (form.writes_old, form.writes_new, form.reads_new) == (writes_old, writes_new, reads_new)


@pytest.mark.parametrize("start", Form)
@pytest.mark.parametrize("to", Form)
def test_arrows(connection: Connection, start: Form, to: Form) -> None:
    """The legal arrows begin an epoch and are journalled; every other is refused and changes nothing."""
    put(connection, "flavor", start)
    if (start, to) in LEGAL:
        assert forms.advance(connection, "flavor", to) == 1
        assert forms.current(connection) == {"flavor": to}
        assert [entry.facts["new"] for entry in journal.read(connection, kind="form.advanced")] == [to.value]
    else:
        with pytest.raises(StepBlocked):
            forms.advance(connection, "flavor", to)
        assert (forms.current_of(connection, "flavor"), current_epoch(connection)) == (start, 0)
        assert journal.read(connection) == []


@pytest.mark.parametrize(
    ("start", "to", "reason"),
    [
        (Form.OLD, Form.NEW, "from there the way leads to 'both, read old' only"),
        (Form.BOTH_READ_NEW, Form.OLD, "from there the way leads to 'new' or 'both, read old' only"),
        (Form.NEW, Form.BOTH_READ_NEW, "the old form is no longer written; there is no way back from 'new'"),
        (Form.NEW, Form.NEW, "it is there already"),
    ],
)
def test_refusals_say_why(connection: Connection, start: Form, to: Form, reason: str) -> None:
    """A refused arrow says where the way would lead."""
    put(connection, "flavor", start)
    with pytest.raises(StepBlocked) as refused:
        forms.advance(connection, "flavor", to)
    assert str(refused.value) == f"Advancing flavor from '{start}' to '{to}' is refused: {reason}."


def test_ensure(connection: Connection) -> None:
    """A form that is there already stays as it is; a new one begins at the default; no epoch begins."""
    put(connection, "flavor", Form.BOTH_READ_NEW)
    assert forms.ensure(connection, ["flavor", "power", "power"]) == ["power"]
    assert forms.current(connection) == {"flavor": Form.BOTH_READ_NEW, "power": Form.BOTH_READ_OLD}
    assert current_epoch(connection) == 0


def test_epochs_are_shared(connection: Connection) -> None:
    """Pins and forms count in one sequence, which only goes up."""
    assert [next_epoch(connection), forms.advance(connection, "flavor", Form.BOTH_READ_NEW)] == [1, 2]
    assert [next_epoch(connection), current_epoch(connection)] == [3, 3]
