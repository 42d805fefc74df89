"""Security groups: who may talk to an instance. Here they are names that instances are put into."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self, cast

from sqlalchemy import Connection, func, select

from compute import rows
from compute.errors import InUse
from compute.objects.instance import Instance
from compute.rows import Row
from compute.tables import security_group_instances, security_groups
from midflight import Context, ObjectList, VersionedObject, from_row, remotable

WHAT = "security group"


class SecurityGroup(VersionedObject, version="1.0"):
    """A named group of a project."""

    id: int | None = None
    name: str
    description: str = ""
    user_id: str | None = None
    project_id: str

    @classmethod
    @remotable
    async def get(cls, context: Context, id: int) -> Self:
        """One group. Raises NotFound."""
        return from_row(cls, await context.db.read(rows.one, security_groups, WHAT, {"id": id}), context=context)

    @classmethod
    @remotable
    async def get_by_name(cls, context: Context, project_id: str, name: str) -> Self:
        """The group of this name in a project. Raises NotFound."""
        by = {"project_id": project_id, "name": name}
        return from_row(cls, await context.db.read(rows.one, security_groups, WHAT, by), context=context)

    @remotable
    async def create(self) -> None:
        """Keep a new group. Raises AlreadyExists when its project has one of this name."""
        self.id = await self.context.db.write(rows.add, security_groups, WHAT, self.name, self.changes())
        self.reset_changes()

    @remotable
    async def save(self) -> None:
        """Keep what changed. Raises NotFound."""
        await self.context.db.write(rows.change, security_groups, WHAT, self.id, self.changes())
        self.reset_changes()

    @remotable
    async def destroy(self) -> None:
        """Remove it. Raises InUse while instances are in it, and NotFound."""
        await self.context.db.write(_remove, self.id, self.name)


class SecurityGroupList(ObjectList[SecurityGroup], version="1.0"):
    """Groups, in the order in which they were made."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """The groups of all projects."""
        return cls._of(context, await context.db.read(rows.every, security_groups, {}))

    @classmethod
    @remotable
    async def get_by_project(cls, context: Context, project_id: str) -> Self:
        """The groups of one project."""
        return cls._of(context, await context.db.read(rows.every, security_groups, {"project_id": project_id}))

    @classmethod
    @remotable
    async def get_by_instance(cls, context: Context, instance: Instance) -> Self:
        """The groups that an instance is in."""
        return cls._of(context, await context.db.read(_around, str(instance.uuid)))

    @classmethod
    def _of(cls, context: Context, found: Iterable[Row]) -> Self:
        groups = [from_row(SecurityGroup, row, context=context) for row in found]
        return from_row(cls, {}, objects=groups, context=context)


def _around(connection: Connection, uuid: str) -> list[Row]:
    inside = select(security_groups).join(security_group_instances).filter_by(instance_uuid=uuid)
    return cast(list[Row], connection.execute(inside.order_by(security_groups.c.id)).mappings().all())


def _remove(connection: Connection, id: int | None, name: str) -> None:
    inside = select(func.count()).select_from(security_group_instances).filter_by(security_group_id=id)
    if users := connection.execute(inside).scalar_one():
        raise InUse(WHAT, name, users)
    rows.remove(connection, security_groups, WHAT, id)
