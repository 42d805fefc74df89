"""What naps and wakes say of a machine's days. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select

from house.kept import rows
from house.kept.rows import utc
from house.kept.tables import machines, naps, wakes
from house.objects.history import Day, summed


def gather(connection: Connection, name: str, days: int, now: datetime) -> list[Day]:
    """In the thread of the database, where it holds nobody up."""
    row = rows.one(connection, machines, "machine", {"name": name})
    first = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    slept = select(naps.c.fell_at, naps.c.woke_at).filter_by(machine=name)
    slept = slept.where(or_(naps.c.woke_at.is_(None), naps.c.woke_at > first))
    woken = select(wakes.c.asked_at, wakes.c.cause).filter_by(machine=name).where(wakes.c.asked_at >= first)
    naps_then = [(utc(fell), now if woke is None else utc(woke)) for fell, woke in connection.execute(slept)]
    wakes_then = [(utc(asked), cause) for asked, cause in connection.execute(woken)]
    return list(summed(naps_then, wakes_then, row["watts"] - row["watts_asleep"], now, days))
