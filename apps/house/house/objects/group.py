"""Groups: rooms that are patched together."""

from __future__ import annotations

from typing import Self

from sqlalchemy import Connection

from house import patching, rows
from house.names import Name
from house.rights import PEOPLE
from house.tables import groups, players
from midflight import Context, InvalidValue, VersionedObject, field, from_row, remotable, to_row

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
        return from_row(cls, await context.db.read(rows.one, groups, WHAT, {"name": name}), context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Let it be known. Raises AlreadyExists where a room has its name too, NotFound for a room that is none, and
        InvalidValue for one that is named twice."""
        self.id = await self.context.db.write(_insert, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep its rooms. Raises what ``create`` does."""
        await self.context.db.write(_save, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Rooms are as they are, and no group any more. Raises NotFound."""
        await self.context.db.write(rows.remove, groups, WHAT, self.id)


def _insert(connection: Connection, group: Group) -> int:
    patching.check_name(connection, group.name)
    _check(connection, group)
    return rows.add(connection, groups, WHAT, group.name, to_row(group))


def _save(connection: Connection, group: Group) -> None:
    _check(connection, group)
    rows.change(connection, groups, WHAT, group.id, to_row(group, only_changes=True))


def _check(connection: Connection, group: Group) -> None:
    for name in group.players:
        rows.one(connection, players, "room", {"name": name})
        if group.players.count(name) > 1:
            raise InvalidValue(path="Group.players", received=f"{name!r} twice", expected="each room once")
