"""The rows of holds. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select

from house import clock
from house.kept import rows
from house.kept.rows import Row
from house.kept.tables import holds, machines
from house.objects.hold import WHAT, Hold
from midflight import to_row


def add(connection: Connection, hold: Hold) -> int:
    """Answers its id. Raises NotFound for a machine that is none."""
    if hold.machine is not None:
        rows.one(connection, machines, "machine", {"name": hold.machine})
    connection.execute(delete(holds).where(holds.c.until <= hold.made_at))  # what has run out is nobody's any more
    return rows.add(connection, holds, WHAT, hold.reason, to_row(hold))


def holding(connection: Connection, machine: str | None) -> list[Row]:
    """Those that hold now: this machine, where one is named."""
    found = select(holds).where(holds.c.until > clock.now()).order_by(holds.c.id)
    if machine is not None:
        found = found.where(or_(holds.c.machine == machine, holds.c.machine.is_(None)))
    return rows.found(connection, found)
