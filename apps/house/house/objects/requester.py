"""Requesters: who asks for machines, and who is not to wake them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from house import kept
from house.rights import PEOPLE
from midflight import Context, ObjectList, VersionedObject, field, from_row, remotable, to_row, types

WHAT = "requester"


class Requester(VersionedObject, version="1.0"):
    """What is to be thought of one MAC address: whether it is ``ignored`` when it asks for this machine, or for any
    where ``machine`` is None; and what it is called."""

    id: int | None = None
    mac: types.MacAddress = field(read_only=True)
    machine: str | None = field(default=None, read_only=True)
    ignored: bool = True
    name: str = ""

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Have watchers think so; tell them by ``WatcherAPI.changed``."""
        self.id = await self.context.db.write(kept.rows.add, kept.tables.requesters, WHAT, self.mac, to_row(self))
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed. Raises NotFound."""
        values = to_row(self, only_changes=True)
        await self.context.db.write(kept.rows.change, kept.tables.requesters, WHAT, self.id, values)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Think nothing of it any more. Raises NotFound."""
        await self.context.db.write(kept.rows.remove, kept.tables.requesters, WHAT, self.id)


class RequesterList(ObjectList[Requester], version="1.0"):
    """Requesters, in the order in which somebody spoke of them."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """All of the house."""
        return cls._of(context, await context.db.read(kept.rows.every, kept.tables.requesters, {}))

    @classmethod
    def _of(cls, context: Context, found: Iterable[kept.rows.Row]) -> Self:
        objects = [from_row(Requester, row, context=context) for row in found]
        return from_row(cls, {}, objects=objects, context=context)
