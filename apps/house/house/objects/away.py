"""Away: nobody is at home until then."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from sqlalchemy import Connection, delete, select

from house import clock, rows
from house.rights import PEOPLE
from house.rows import Row
from house.tables import aways
from midflight import Context, VersionedObject, from_row, remotable, to_row

WHAT = "away"


class Away(VersionedObject, version="1.0"):
    """Nobody is at home until then: rules hold no machine awake, and wake none. Whoever asks for one still wakes it."""

    id: int | None = None
    until: datetime
    who: str = ""
    made_at: datetime | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context) -> Self | None:
        """The house's, or None while somebody is at home."""
        row = await context.db.read(latest, clock.now())
        return None if row is None else from_row(cls, row, context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Leave the house. What was said before is replaced."""
        self.made_at = clock.now()
        self.id = await self.context.db.write(_replace, self)
        self.reset_changes()

    @classmethod
    @remotable(allow=PEOPLE)
    async def end(cls, context: Context) -> None:
        """Somebody is back."""
        await context.db.write(_clear)


def latest(connection: Connection, now: datetime) -> Row | None:
    """What was said last, if it is not over."""
    found = rows.found(connection, select(aways).where(aways.c.until > now).order_by(aways.c.id))
    return found[-1] if found else None


def _replace(connection: Connection, away: Away) -> int:
    _clear(connection)
    return rows.add(connection, aways, WHAT, away.who, to_row(away))


def _clear(connection: Connection) -> None:
    connection.execute(delete(aways))
