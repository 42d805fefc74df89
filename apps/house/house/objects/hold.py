"""Holds: keep awake until then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from sqlalchemy import Connection, delete, or_, select

from house import clock, rows
from house.rights import PEOPLE
from house.rows import Row
from house.tables import holds, machines
from midflight import Context, InvalidValue, ObjectList, VersionedObject, field, from_row, remotable, to_row

WHAT = "hold"


class Hold(VersionedObject, version="1.0"):
    """Somebody wants a machine awake until then; the whole house, where ``machine`` is None."""

    id: int | None = None
    machine: str | None = field(default=None, read_only=True)
    until: datetime
    reason: str = ""
    who: str = ""
    made_at: datetime | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context, id: int) -> Self:
        """One hold. Raises NotFound."""
        return from_row(cls, await context.db.read(rows.one, holds, WHAT, {"id": id}), context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Hold it from now on. Raises NotFound for a machine that is none, and InvalidValue for a time that is over."""
        self.made_at = clock.now()
        if self.until <= self.made_at:
            raise InvalidValue(path="Hold.until", received=self.until.isoformat(), expected="a time that is to come")
        self.id = await self.context.db.write(_insert, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Hold it longer, or for another reason. Raises NotFound where it has been let go."""
        await self.context.db.write(rows.change, holds, WHAT, self.id, to_row(self, only_changes=True))
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Let it go. Raises NotFound."""
        await self.context.db.write(rows.remove, holds, WHAT, self.id)


class HoldList(ObjectList[Hold], version="1.0"):
    """Holds, in the order in which they were made."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """All that hold now."""
        return cls._of(context, await context.db.read(_holding, None))

    @classmethod
    @remotable
    async def get_by_machine(cls, context: Context, machine: str) -> Self:
        """Those that hold this machine now, by its name or with the whole house."""
        return cls._of(context, await context.db.read(_holding, machine))

    @classmethod
    def _of(cls, context: Context, found: Iterable[Row]) -> Self:
        return from_row(cls, {}, objects=[from_row(Hold, row, context=context) for row in found], context=context)


def _insert(connection: Connection, hold: Hold) -> int:
    if hold.machine is not None:
        rows.one(connection, machines, "machine", {"name": hold.machine})
    connection.execute(delete(holds).where(holds.c.until <= hold.made_at))  # what has run out is nobody's any more
    return rows.add(connection, holds, WHAT, hold.reason, to_row(hold))


def _holding(connection: Connection, machine: str | None) -> list[Row]:
    found = select(holds).where(holds.c.until > clock.now()).order_by(holds.c.id)
    if machine is not None:
        found = found.where(or_(holds.c.machine == machine, holds.c.machine.is_(None)))
    return rows.found(connection, found)
