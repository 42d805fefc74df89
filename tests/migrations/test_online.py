from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text, update
from structlog.testing import capture_logs

from midflight.db import forms
from midflight.db.engine import Database, transaction
from midflight.db.write_form import Form
from midflight.errors import CannotDerive, ProjectError
from midflight.migrations import state
from midflight.migrations.online import Row, RowContext, data_migration
from midflight.migrations.state import State
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


def put(connection: Connection, form: Form) -> None:
    forms.ensure(connection, [NAME])
    connection.execute(text("UPDATE mf_forms SET form = :form"), {"form": form.value})


def test_still_a_function(connection: Connection) -> None:
    """A data migration is named and described by its row function, and can be called like it."""
    boot(connection, 1, ram=7)
    assert (migrate_flavor_data.name, migrate_flavor_data.release) == (NAME, "kilo")
    assert migrate_flavor_data.__doc__ == "The flavor leaves system_metadata."
    derived = migrate_flavor_data(Row({"id": 1, "task_state": None}), RowContext(connection))
    assert derived == {"flavor": {"name": "m1", "ram": 7}}


@pytest.mark.parametrize("form", [Form.BOTH_READ_OLD, Form.BOTH_READ_NEW])
def test_apply(connection: Connection, form: Form) -> None:
    """A save derives the new form again, and writes it only if its content differs."""
    put(connection, form)
    boot(connection, 1, ram=1)
    assert migrate_flavor_data.apply(connection, 1)
    assert not migrate_flavor_data.apply(connection, 1)
    resize(connection, 1, 2)
    assert migrate_flavor_data.apply(connection, 1)
    assert ram_of(connection, 1) == 2


@pytest.mark.parametrize("form", [Form.OLD, Form.NEW])
def test_apply_does_nothing(connection: Connection, form: Form) -> None:
    """The new form is not derived where nobody keeps it up to date yet, nor where the old one is written no more."""
    put(connection, form)
    boot(connection, 1)
    assert not migrate_flavor_data.apply(connection, 1)
    assert migrated(connection) == 0


async def test_a_save_by_the_old_form_that_is_written_no_more_is_done_again(engine: Engine, database_url: str) -> None:
    """Nobody reads what it wrote, since its process has not heard yet of the form. So nothing of it is kept, and it
    writes the new form the second time; the old one stays as it was."""
    with transaction(engine, writes=True) as connection:
        put(connection, Form.BOTH_READ_NEW)
        boot(connection, 1, ram=1)
        migrate_flavor_data.apply(connection, 1)
    database = await Database.open(database_url)
    with transaction(engine, writes=True) as connection:
        put(connection, Form.NEW)
    tried: list[Form] = []

    def save(connection: Connection) -> None:
        tried.append(form := database.form(NAME))
        if form.writes_old:
            resize(connection, 1, 2)
        else:
            connection.execute(update(instances).values(flavor={"name": "m1", "ram": 2}))
        assert not migrate_flavor_data.apply(connection, 1)

    await database.write(save)
    await database.close()
    with transaction(engine, writes=False) as connection:
        assert (tried, ram_of(connection, 1)) == ([Form.BOTH_READ_NEW, Form.NEW], 2)
        assert connection.scalar(text("SELECT value FROM system_metadata WHERE key = 'ram'")) == "1"


def test_default_form(connection: Connection) -> None:
    """A migration whose form was never written down writes both."""
    boot(connection, 1)
    assert migrate_flavor_data.apply(connection, 1)


def test_a_save_defers_too(connection: Connection) -> None:
    """While the old form is read, a save leaves a deferred row to whoever saves it next, or to the sweep."""
    boot(connection, 1, task_state="resizing")
    assert not migrate_flavor_data.apply(connection, 1)
    assert prove(connection, migrate_flavor_data).deferred == {1: "resizing"}
    settle(connection, 1, task_state=None)
    assert migrate_flavor_data.apply(connection, 1)


def test_saving_is_told(connection: Connection) -> None:
    """Once the new form is read, a row function that would defer in a sweep is told of the save, and may go on."""
    put(connection, Form.BOTH_READ_NEW)
    boot(connection, 1, task_state="resizing")
    assert migrate_flavor_data.apply(connection, 1)


def test_nothing_is_left_to_defer(connection: Connection) -> None:
    """A row in the middle of something whose forms agree is neither deferred nor in the way of the proof."""
    boot(connection, 1)
    migrate_flavor_data.apply(connection, 1)
    settle(connection, 1, task_state="resizing")
    assert prove(connection, migrate_flavor_data).proven
    resize(connection, 1, 2)
    assert prove(connection, migrate_flavor_data).deferred == {1: "resizing"}


def always_deferring(row: Row, db: RowContext) -> Mapping[str, Any]:
    from_sweep = RowContext.__new__(RowContext)
    from_sweep.__dict__ |= db.__dict__ | {"saving": False}
    return migrate_flavor_data.function(row, from_sweep)


def test_deferred_on_save(connection: Connection) -> None:
    """A deferred row is left as it is; once readers read the new form, that is worth a warning."""
    migration = variant(function=always_deferring)
    boot(connection, 1, task_state="resizing")
    with capture_logs() as quiet:
        assert not migration.apply(connection, 1)
    connection.execute(
        text("INSERT INTO mf_forms VALUES ('always_deferring', 'both, read new', 1, '2015-04-30 00:00:00')")
    )
    with capture_logs() as loud:
        assert not migration.apply(connection, 1)
    assert (quiet, [event["event"] for event in loud]) == ([], ["migrations.deferred_under_read_new"])
    assert migrated(connection) == 0


def test_failing_on_save(connection: Connection) -> None:
    """While the old form is read, a failing row function does not hinder a save: quarantine, and the proof is gone."""
    boot(connection, 1)
    migrate_flavor_data.apply(connection, 1)
    assert prove(connection, migrate_flavor_data).proven
    settle(connection, 1, task_state="broken")
    with capture_logs() as events:
        assert not migrate_flavor_data.apply(connection, 1)
    standing = state.read(connection, NAME)
    assert (standing.state, standing.proven_at, standing.failed) == (State.VERIFYING, None, 1)
    assert state.quarantined(connection, NAME) == {"1": "ValueError: instance 1 has no disk"}
    assert [(event["event"], event["key"]) for event in events] == [("migrations.failed_on_save", 1)]


def test_failing_on_save_under_read_new(engine: Engine) -> None:
    """Once the new form is read, a save whose new form cannot be derived is refused as a whole."""
    with transaction(engine, writes=True) as connection:
        put(connection, Form.BOTH_READ_NEW)
        boot(connection, 1, ram=1, task_state="broken")

    def save() -> None:
        with transaction(engine, writes=True) as connection:
            resize(connection, 1, 2)
            migrate_flavor_data.apply(connection, 1)

    with pytest.raises(CannotDerive) as refused:
        save()
    assert str(refused.value) == (
        "migrate_flavor_data cannot derive the new form of instances 1: ValueError: instance 1 has no disk. The new "
        "form is read already, so the change was not saved: mend the row or the row function, or advance the form back "
        "to 'both, read old'."
    )
    with transaction(engine, writes=True) as connection:
        settle(connection, 1)
        migrate_flavor_data.apply(connection, 1)
        assert ram_of(connection, 1) == 1


def test_no_such_row(connection: Connection) -> None:
    """A key without a row is a mistake of the caller."""
    with pytest.raises(LookupError, match="data migration migrate_flavor_data: table instances has no row 7"):
        migrate_flavor_data.apply(connection, 7)


def test_async_row_function() -> None:
    """An async row function is refused when it is defined."""

    async def awaits(row: Row, db: RowContext) -> Mapping[str, Any]:
        return {}

    with pytest.raises(ProjectError, match="data migration awaits: a row function is an ordinary function, not async"):
        data_migration(release="kilo", table="instances", key="id")(awaits)  # type: ignore[arg-type]
