"""What is known of data migrations, read from the database for whoever asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from midflight.conductor.data_objects import Comparison, MigrationDetail, MigrationState
from midflight.db import forms
from midflight.db.write_form import DEFAULT, Form
from midflight.migrations import compare, lease, state
from midflight.migrations.keys import from_json
from midflight.migrations.online import DataMigration
from midflight.migrations.state import Standing, State

_NAMED = 100
"""How many failed rows are named."""
_ALIKE = 120
"""So many characters of an error tell it from others: the rest is often about one row."""


def migration_states(connection: Connection, known: Iterable[DataMigration], at: datetime) -> list[MigrationState]:
    """How far each of these has come."""
    standings, written = state.read_all(connection), forms.current(connection)
    return [
        _state(each, standings.get(each.name, Standing(each.name)), written.get(each.name, DEFAULT), at)
        for each in known
    ]


def detail(connection: Connection, migration: DataMigration, at: datetime) -> MigrationDetail:
    """All that is known of one, and of who migrates rows."""
    standing = state.read_all(connection).get(migration.name, Standing(migration.name))
    (found,) = migration_states(connection, [migration], at)
    failed = state.quarantined(connection, migration.name)
    present = lease.read(connection)
    written = forms.current(connection)
    return MigrationDetail(
        migration=found,
        errors=dict(state.bounded(Counter(error[:_ALIKE] for error in failed.values()))),
        failed=dict(list(failed.items())[:_NAMED]),
        needs={name: written.get(name) is Form.NEW or state.is_proven(connection, name) for name in migration.needs},
        holder=present.holder,
        held=present.held,
        brake=present.brake,
        pace=msgspec.to_builtins(present.pace),
        deferred=dict(standing.deferred_rows),
    )


def compared(
    connection: Connection, migration: DataMigration, after: list[Any], limit: int, sample: bool
) -> Comparison:
    """Some rows, compared."""
    key = from_json(after if len(after) > 1 else after[0]) if after else None
    found = compare.compare(connection, migration, limit, after=key, sample=sample)
    behind = list(found.after) if isinstance(found.after, tuple) else [found.after]
    return Comparison(checked=found.checked, differing=found.differing, after=[] if found.after is None else behind)


def _state(migration: DataMigration, standing: Standing, form: Form, at: datetime) -> MigrationState:
    proven_at = standing.proven_at
    return MigrationState(
        name=migration.name,
        release=migration.release,
        table=migration.table,
        form=form.value,
        state=standing.state.value,
        matched=standing.matched,
        completed=standing.completed,
        deferred=sum(standing.deferred.values()),
        deferred_by=dict(standing.deferred),
        failed=standing.failed,
        proven=standing.state is State.PROVEN,
        proven_at=proven_at,
        proven_age=None if proven_at is None else max(0.0, (at - proven_at).total_seconds()),
        wanted=standing.wanted or "",
        looked=standing.cursor.looked,
        of=standing.cursor.of,
    )
