"""Once only the new form is written, PostgreSQL holds the proof itself: as a check that it has validated.

Not before: a check refuses each write of a row that is not migrated yet, also by who knows nothing of the new form.
"""

from __future__ import annotations

from sqlalchemy import Connection, TextClause, text

from midflight.db import forms, journal
from midflight.db.write_form import Form
from midflight.migrations import runner
from midflight.migrations.online import DataMigration

_LONGEST = 63
"""Characters of a name, in PostgreSQL."""
_FOUND = text("SELECT convalidated FROM pg_constraint WHERE conname = :name AND conrelid = to_regclass(:table)")


def name_of(migration: DataMigration) -> str:
    """What the check is called."""
    return f"mf_{migration.name}"[:_LONGEST]


def state_of(connection: Connection, migration: DataMigration) -> bool | None:
    """Whether the check is validated; None where there is none."""
    if connection.dialect.name != "postgresql":
        return None
    found = connection.execute(_FOUND, {"name": name_of(migration), "table": migration.table}).scalar_one_or_none()
    return None if found is None else bool(found)


def add(connection: Connection, migration: DataMigration) -> bool:
    """Let each write from now on fulfil the proof. One short transaction of its own, which waits for no lock for long.

    Says whether there is something to validate: not on other databases, before the form is ``new``, or for a proof that
    says nothing. The database's error passes through, for a condition that a check cannot have.
    """
    if connection.dialect.name != "postgresql" or migration.says_nothing:
        return False
    runner.begin(connection)
    if forms.current_of(connection, migration.name) is not Form.NEW:
        return False
    if state_of(connection, migration) is None:
        check = f"ADD CONSTRAINT {{name}} CHECK ({migration.proof}) NOT VALID"
        connection.execute(_alter(connection, migration, check))
    return True


def validate(connection: Connection, migration: DataMigration) -> None:
    """Let the database look at all rows, while others read and write them. The error passes through for a row that does
    not fulfil the proof."""
    runner.begin(connection)
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.execute(_alter(connection, migration, "VALIDATE CONSTRAINT {name}"))
    journal.write(connection, "migration.held", {"name": migration.name, "check": name_of(migration)})


def drop(connection: Connection, migration: DataMigration) -> None:
    """Hold nothing: a row does not fulfil the proof, and must be mended."""
    runner.begin(connection)
    connection.execute(_alter(connection, migration, "DROP CONSTRAINT IF EXISTS {name}"))


def _alter(connection: Connection, migration: DataMigration, how: str) -> TextClause:
    quoted = connection.dialect.identifier_preparer.quote
    head = f"ALTER TABLE {quoted(migration.table)} "
    return text(head + how.replace(":", r"\:").replace("{name}", quoted(name_of(migration))))
