"""All facts of the fleet, gathered in one transaction: what gates decide on, and operators read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from midflight.conductor import members, pin_rows, record, traffic_rows
from midflight.conductor.data_facts import migration_states
from midflight.conductor.interface import Fleet, JournalEntry
from midflight.conductor.self_test import self_tests
from midflight.db import catalogue, forms, journal, tables
from midflight.db.epoch import current_epoch
from midflight.migrations import lease, throttle
from midflight.migrations.online import DataMigration

REJECTED: Final = "rpc.version_rejected"
"""The journal's kind of entry for a message that its receiver could not serve."""
REJECTIONS_WINDOW = timedelta(hours=1)
MOST_REJECTIONS = 100
"""The latest of them; a storm must not make the facts larger than a message may be, just when they are needed."""


def gather(
    connection: Connection, migrations: Iterable[DataMigration], releases: list[str], taken_by: str, at: datetime
) -> Fleet:
    """One frozen picture. ``migrations`` and ``releases`` are those that the gathering conductor's code knows."""
    schema = _last(connection, tables.schema)
    floor = _last(connection, tables.floor)
    present, sweeping = members.everyone(connection, at), lease.read(connection)
    return Fleet(
        taken_at=at,
        taken_by=taken_by,
        epoch=current_epoch(connection),
        releases=releases,
        members=present,
        pins={pin.topic: pin.release for pin in pin_rows.current(connection)},
        forms={name: form.value for name, form in forms.current(connection).items()},
        migrations=migration_states(connection, migrations, at),
        schema_release=schema.release if schema else None,
        schema_digest=schema.digest if schema else None,
        schema_at=schema.at if schema else None,
        store_floor=floor.store_floor if floor else None,
        rejections=entries(connection, at, since=at - REJECTIONS_WINDOW, kind=REJECTED, latest=MOST_REJECTIONS),
        health=throttle.health(connection, sweeping.pace, at),
        held=sweeping.held,
        brake=sweeping.brake,
        acknowledged=record.acknowledgements(connection, at),
        soaks=record.soaks(connection, at),
        self_tests=self_tests(connection, at),
        traffic=traffic_rows.compared(connection, at),
        hidden=_hidden(connection),
        catalogue=_there(connection),
    )


def _there(connection: Connection) -> list[str]:
    """The last word of each thing begins with its table's name."""
    found = catalogue.tables_and_columns(connection)
    return sorted(thing for thing in found if not thing.rpartition(" ")[2].startswith("mf_"))


def _hidden(connection: Connection) -> dict[str, datetime]:
    held = tables.contracts.c
    wanted = select(held.revision, held.held_at).where(held.state == "held").order_by(held.revision)
    return {row.revision: row.held_at for row in connection.execute(wanted)}


def entries(
    connection: Connection,
    at: datetime,
    *,
    since: datetime | None = None,
    kind: str | None = None,
    latest: int | None = None,
) -> list[JournalEntry]:
    """What the journal says, oldest first, with ages; with ``latest``, no more than so many of the last."""
    return [record.entry_of(entry, at) for entry in journal.read(connection, since=since, kind=kind, latest=latest)]


def _last(connection: Connection, table: Any) -> Row[Any] | None:
    return connection.execute(select(table).order_by(table.c.id.desc()).limit(1)).one_or_none()
