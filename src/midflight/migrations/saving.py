"""What a save does for a data migration: it derives the new form of its row again."""

from __future__ import annotations

from sqlalchemy import Connection

from midflight import telemetry
from midflight.db import forms
from midflight.db.write_form import Form
from midflight.errors import CannotDerive
from midflight.migrations import state
from midflight.migrations.declared import Declared
from midflight.migrations.derive import Deriver, Differs, Failed, Postponed
from midflight.migrations.keys import Key
from midflight.migrations.settle import settle
from midflight.migrations.table import WalkedTable


def apply(migration: Declared, connection: Connection, key: Key) -> bool:
    """See ``DataMigration.apply``, which is the way here."""
    form = forms.current_of(connection, migration.name)
    forms.refuse_moved(connection, migration.name, form)
    if not (form.writes_old and form.writes_new):
        return False
    made = deriver(migration, connection)
    row = made.table.one(connection, key)
    finding = settle(connection, made, [row], saving=form.reads_new)[key]
    if isinstance(finding, Postponed):
        _tell_deferred(migration, connection, form, key, finding)
    elif isinstance(finding, Failed):
        _keep_failed(migration, connection, form, key, finding)
    return isinstance(finding, Differs)


def deriver(migration: Declared, connection: Connection, *, fresh: bool = False) -> Deriver:
    """See ``DataMigration.deriver``, which is the way here."""
    if fresh or connection.engine not in migration.derivers:
        migration.derivers[connection.engine] = _read(migration, connection)
    found: Deriver = migration.derivers[connection.engine]
    return found


def _read(migration: Declared, connection: Connection) -> Deriver:
    what = f"data migration {migration.name}"
    table = WalkedTable(connection, migration.table, migration.key, migration.proof, what)
    table.check(connection, migration.todo)
    return Deriver(migration.function, table, migration.proof, migration.release)


def _tell_deferred(migration: Declared, connection: Connection, form: Form, key: Key, finding: Postponed) -> None:
    name, reason = migration.name, finding.reason
    telemetry.count("migrations.deferred_on_save", migration=name, reason=reason)
    state.take_back_proof(connection, name)
    if form.reads_new:
        # The new form stays as it was: right only if the save did not change what it is derived from.
        telemetry.log.warning("migrations.deferred_under_read_new", name=name, key=key, reason=reason)


def _keep_failed(migration: Declared, connection: Connection, form: Form, key: Key, finding: Failed) -> None:
    name = migration.name
    telemetry.count("migrations.failed_on_save", migration=name)
    if form.reads_new:
        raise CannotDerive(migration=name, table=migration.table, key=str(key), error=finding.error)
    telemetry.log.warning("migrations.failed_on_save", name=name, key=key, error=finding.error)
    state.quarantine_row(connection, name, key, finding.error)
    state.take_back_proof(connection, name)
