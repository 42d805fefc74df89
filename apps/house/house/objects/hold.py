"""Holds: keep awake until then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from house import clock, kept
from house.rights import PEOPLE
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
        row = await context.db.read(kept.rows.one, kept.tables.holds, WHAT, {"id": id})
        return from_row(cls, row, context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Hold it from now on. Raises NotFound for a machine that is none, and InvalidValue for a time that is over."""
        self.made_at = clock.now()
        if self.until <= self.made_at:
            raise InvalidValue(path="Hold.until", received=self.until.isoformat(), expected="a time that is to come")
        self.id = await self.context.db.write(kept.holds.add, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Hold it longer, or for another reason. Raises NotFound where it has been let go."""
        values = to_row(self, only_changes=True)
        await self.context.db.write(kept.rows.change, kept.tables.holds, WHAT, self.id, values)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Let it go. Raises NotFound."""
        await self.context.db.write(kept.rows.remove, kept.tables.holds, WHAT, self.id)


class HoldList(ObjectList[Hold], version="1.0"):
    """Holds, in the order in which they were made."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """All that hold now."""
        return cls._of(context, await context.db.read(kept.holds.holding, None))

    @classmethod
    @remotable
    async def get_by_machine(cls, context: Context, machine: str) -> Self:
        """Those that hold this machine now, by its name or with the whole house."""
        return cls._of(context, await context.db.read(kept.holds.holding, machine))

    @classmethod
    def _of(cls, context: Context, found: Iterable[kept.rows.Row]) -> Self:
        return from_row(cls, {}, objects=[from_row(Hold, row, context=context) for row in found], context=context)
