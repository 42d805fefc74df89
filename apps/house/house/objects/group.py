"""Groups: rooms that are patched together."""

from __future__ import annotations

from typing import Self

from house import kept
from house.names import Name
from house.rights import PEOPLE
from midflight import Context, VersionedObject, field, from_row, remotable

WHAT = "group"


class Group(VersionedObject, version="1.0"):
    """A name for several rooms. A room may be in more than one group, and only once in each. Rooms that hear the same
    stream are in time with each other, grouped or not."""

    id: int | None = None
    name: Name = field(read_only=True)
    players: list[str] = field(default_factory=list)

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        """One group. Raises NotFound."""
        row = await context.db.read(kept.rows.one, kept.tables.groups, WHAT, {"name": name})
        return from_row(cls, row, context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Let it be known. Raises AlreadyExists where a room has its name too, NotFound for a room that is none, and
        InvalidValue for one that is named twice."""
        self.id = await self.context.db.write(kept.groups.add, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep its rooms. Raises what ``create`` does."""
        await self.context.db.write(kept.groups.change, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Rooms are as they are, and no group any more. Raises NotFound."""
        await self.context.db.write(kept.rows.remove, kept.tables.groups, WHAT, self.id)
