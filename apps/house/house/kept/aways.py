"""The rows of who is away. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from house.kept import rows
from house.kept.rows import Row
from house.kept.tables import aways
from house.objects.away import WHAT, Away
from midflight import to_row


def latest(connection: Connection, now: datetime) -> Row | None:
    """What was said last, if it is not over."""
    found = rows.found(connection, select(aways).where(aways.c.until > now).order_by(aways.c.id))
    return found[-1] if found else None


def replace(connection: Connection, away: Away) -> int:
    """What was said before is replaced. Answers the new row's id."""
    clear(connection)
    return rows.add(connection, aways, WHAT, away.who, to_row(away))


def clear(connection: Connection) -> None:
    """Somebody is at home."""
    connection.execute(delete(aways))
