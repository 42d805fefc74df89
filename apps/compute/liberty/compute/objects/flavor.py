"""Flavors: the sizes that an instance can have."""

from __future__ import annotations

from typing import Self

from compute import rows
from compute.tables import flavors
from midflight import Context, ObjectList, VersionedObject, field, from_row, remotable


class Flavor(VersionedObject, version="1.1"):
    """A size: memory, processors, disk."""

    id: int | None = None
    name: str
    memory_mb: int
    vcpus: int
    root_gb: int = 0
    description: str | None = field(since="1.1", default=None)

    @classmethod
    @remotable
    async def get(cls, context: Context, id: int) -> Self:
        """One flavor. Raises NotFound."""
        return from_row(cls, await context.db.read(rows.one, flavors, "flavor", {"id": id}), context=context)

    @classmethod
    @remotable
    async def get_by_name(cls, context: Context, name: str) -> Self:
        """One flavor. Raises NotFound."""
        return from_row(cls, await context.db.read(rows.one, flavors, "flavor", {"name": name}), context=context)

    @remotable
    async def create(self) -> None:
        """Offer a new size. Raises AlreadyExists."""
        self.id = await self.context.db.write(rows.add, flavors, "flavor", self.name, self.changes())
        self.reset_changes()

    @remotable
    async def save(self) -> None:
        """Keep what changed. An instance keeps the size that it was given. Raises NotFound."""
        await self.context.db.write(rows.change, flavors, "flavor", self.id, self.changes())
        self.reset_changes()

    @remotable
    async def destroy(self) -> None:
        """Offer it no more. Raises NotFound."""
        await self.context.db.write(rows.remove, flavors, "flavor", self.id)


class FlavorList(ObjectList[Flavor], version="1.0"):
    """Flavors, in the order in which they were made."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """All that are offered."""
        found = await context.db.read(rows.every, flavors, {})
        return from_row(cls, {}, objects=[from_row(Flavor, row, context=context) for row in found], context=context)
