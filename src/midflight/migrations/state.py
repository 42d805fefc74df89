"""How far a data migration has come, as it is kept in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from midflight.db.clock import now
from midflight.db.tables import data_migrations, quarantine
from midflight.migrations.table import Key


class State(StrEnum):
    """What is known of all rows together."""

    PENDING = "pending"
    """No row was looked at yet."""
    MOVING = "moving"
    """Rows are left, or may be."""
    PROVEN = "proven"
    """The last proof found that both forms of all rows agree."""


@dataclass(frozen=True)
class Standing:
    """One row of mf_data_migrations; see there for what the numbers mean."""

    name: str
    state: State = State.PENDING
    cursor: Mapping[str, Key] = field(default_factory=dict)
    passes: int = 0
    matched: int = 0
    completed: int = 0
    deferred: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    proven_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def after(self) -> Key | None:
        """The key of the last row that was looked at in this pass; None at its start."""
        return self.cursor.get("after")


_COLUMNS = [data_migrations.c[column.name] for column in fields(Standing)]


def read(connection: Connection, name: str) -> Standing:
    """How far one data migration has come. Others wait with theirs, on databases that lock rows."""
    found = connection.execute(select(*_COLUMNS).where(data_migrations.c.name == name).with_for_update())
    row = found.mappings().one_or_none()
    return Standing(name) if row is None else _standing(row)


def read_all(connection: Connection) -> dict[str, Standing]:
    """How far each data migration has come that was ever touched, by name."""
    rows = connection.execute(select(*_COLUMNS).order_by(data_migrations.c.name)).mappings()
    return {row["name"]: _standing(row) for row in rows}


def write(connection: Connection, standing: Standing) -> None:
    """Keep it, in the transaction of the rows that it counts."""
    values = {column.name: getattr(standing, column.name) for column in fields(Standing)}
    values |= {"cursor": dict(standing.cursor), "deferred": dict(standing.deferred), "updated_at": now()}
    changed = update(data_migrations).where(data_migrations.c.name == standing.name)
    if not connection.execute(changed.values(values)).rowcount:
        connection.execute(insert(data_migrations).values(values))


def quarantined(connection: Connection, name: str) -> dict[str, str]:
    """The rows that failed when they were last tried: key, as text → error."""
    wanted = select(quarantine.c.key, quarantine.c.error).where(quarantine.c.name == name).order_by(quarantine.c.key)
    return {row.key: row.error for row in connection.execute(wanted)}


def quarantine_row(connection: Connection, name: str, key: Key, error: str) -> None:
    """Keep a row's error, in place of an earlier one."""
    release_row(connection, name, key)
    connection.execute(insert(quarantine).values(name=name, key=str(key), error=error, at=now()))


def release_row(connection: Connection, name: str, key: Key) -> None:
    """This row is well."""
    connection.execute(delete(quarantine).where(quarantine.c.name == name, quarantine.c.key == str(key)))


def replace_quarantine(connection: Connection, name: str, failed: Mapping[Key, str]) -> None:
    """These rows fail, and no others."""
    connection.execute(delete(quarantine).where(quarantine.c.name == name))
    for key, error in failed.items():
        connection.execute(insert(quarantine).values(name=name, key=str(key), error=error, at=now()))


def take_back_proof(connection: Connection, name: str) -> None:
    """A row is known to disagree: what was proven is so no longer. The number of failed rows is counted again."""
    failed = select(func.count()).select_from(quarantine).where(quarantine.c.name == name).scalar_subquery()
    changed = update(data_migrations).where(data_migrations.c.name == name)
    connection.execute(changed.values(state=State.MOVING, proven_at=None, failed=failed, updated_at=now()))


def _standing(row: Mapping[Any, Any]) -> Standing:
    return Standing(**{**row, "state": State(row["state"])})
