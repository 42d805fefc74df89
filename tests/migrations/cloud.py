"""A small cloud: a flavor lies spread over rows of system_metadata, and moves into a column of its instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Column, Connection, ForeignKey, Integer, MetaData, String, Table, insert, select, update

from midflight.db import tables
from midflight.db.write_form import Form
from midflight.migrations import proof as proofs
from midflight.migrations.online import DataMigration, Deferred, Row, RowContext, data_migration
from midflight.migrations.proof import Proof

cloud = MetaData()
instances = Table(
    "instances",
    cloud,
    Column("id", Integer, primary_key=True),
    Column("host", String),
    Column("task_state", String),
    Column("flavor", JSON),
)
system_metadata = Table(
    "system_metadata",
    cloud,
    Column("id", Integer, primary_key=True),
    Column("instance", ForeignKey("instances.id"), nullable=False, index=True),
    Column("key", String, nullable=False),
    Column("value", String),
)

SPREAD = "SELECT key, value FROM system_metadata WHERE instance = :id ORDER BY key"


@data_migration(release="kilo", table="instances", key="id")
def migrate_flavor_data(row: Row, db: RowContext) -> Mapping[str, Any]:
    """The flavor leaves system_metadata."""
    if row.task_state == "broken":
        raise ValueError(f"instance {row.id} has no disk")
    if row.task_state is not None and not db.saving:
        raise Deferred(row.task_state)
    spread = {part.key: part.value for part in db.fetch(SPREAD, id=row.id)}
    return {"flavor": {"name": spread["name"], "ram": int(spread["ram"])}}


def create(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    cloud.create_all(connection)


def boot(connection: Connection, number: int, ram: int = 512, task_state: str | None = None) -> None:
    """What juno writes: the old form only."""
    connection.execute(insert(instances).values(id=number, host="h", task_state=task_state))
    parts = [{"instance": number, "key": "name", "value": "m1"}, {"instance": number, "key": "ram", "value": str(ram)}]
    connection.execute(insert(system_metadata), parts)


def resize(connection: Connection, number: int, ram: int) -> None:
    """Juno changes the old form."""
    where = (system_metadata.c.instance == number) & (system_metadata.c.key == "ram")
    connection.execute(update(system_metadata).where(where).values(value=str(ram)))


def settle(connection: Connection, *numbers: int, task_state: str | None = None) -> None:
    connection.execute(update(instances).where(instances.c.id.in_(numbers)).values(task_state=task_state))


def ram_of(connection: Connection, number: int) -> int | None:
    """What the new form says."""
    flavor = connection.execute(select(instances.c.flavor).where(instances.c.id == number)).scalar_one()
    return None if flavor is None else int(flavor["ram"])


def migrated(connection: Connection) -> int:
    return len(connection.execute(select(instances.c.id).where(instances.c.flavor.is_not(None))).all())


def variant(**changes: Any) -> DataMigration:
    """The same migration with another condition, key or function."""
    function = changes.pop("function", migrate_flavor_data.function)
    facts = {"release": "kilo", "table": "instances", "key": "id", **changes}
    return data_migration(**facts)(function)


def prove(connection: Connection, migration: DataMigration = migrate_flavor_data) -> Proof:
    """All rows compared, and remembered."""
    before = proofs.standing_of(connection, migration)
    found = scanned(connection, migration)
    proofs.remember(connection, migration, found, before)
    return found


def scanned(connection: Connection, migration: DataMigration = migrate_flavor_data) -> Proof:
    """All rows compared, part by part."""
    found, after = Proof(), None
    while part := proofs.look(connection, migration, after):
        for key, finding in part:
            found.add(key, finding)
        after = part[-1][0]
    return found


def advance(connection: Connection, to: Form, migration: DataMigration = migrate_flavor_data) -> int:
    """One arrow, as a conductor takes it."""
    if not proofs.needs_scan(connection, migration, to):
        return proofs.advance(connection, migration, to)
    proofs.refuse_unproven(migration, to, prove(connection, migration))
    before = proofs.standing_of(connection, migration)
    return proofs.advance(connection, migration, to, scanned(connection, migration), before)
