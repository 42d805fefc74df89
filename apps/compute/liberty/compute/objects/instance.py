"""Instances: the machines that somebody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Self
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, insert, select, update

from compute import rows
from compute.objects.flavor import Flavor
from compute.rows import Row
from compute.states import PowerState, TaskState, VmState
from compute.tables import instances, now, security_group_instances
from midflight import (
    Context,
    Manifest,
    ObjectList,
    VersionedObject,
    Wire,
    backport,
    check_expected,
    field,
    from_row,
    from_rows,
    remotable,
    to_row,
)

WHAT = "instance"


class Instance(VersionedObject, version="1.18"):
    """A machine that somebody asked for. ``request_id`` names the request whose task its ``task_state`` is."""

    id: int | None = None
    uuid: UUID = field(default_factory=uuid4, read_only=True)
    user_id: str | None = None
    project_id: str | None = None
    display_name: str
    host: str | None = None
    vm_state: VmState = VmState.BUILDING
    task_state: TaskState | None = None
    request_id: str | None = None
    power_state: PowerState = PowerState.NOSTATE
    launch_index: int | None = None
    scheduled_at: datetime | None = None
    launched_at: datetime | None = None
    terminated_at: datetime | None = None
    paused_at: datetime | None = field(since="1.18", default=None)
    locked: bool = False
    locked_by: str | None = field(since="1.17", default=None)
    access_ip_v4: IPv4Address | None = None
    access_ip_v6: IPv6Address | None = None
    reboots: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    flavor: Flavor
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @backport(before="1.18", lossy=True)
    def paused_was_called_running(self, wire: Wire) -> None:
        """Before 1.18 no machine stood still, and nobody was about to let one do so."""
        if wire.get("vm_state") == VmState.PAUSED:
            wire["vm_state"] = VmState.ACTIVE.value
        if wire.get("power_state") == PowerState.PAUSED:
            wire["power_state"] = PowerState.RUNNING.value
        if wire.get("task_state") in (TaskState.PAUSING, TaskState.RESUMING):
            wire["task_state"] = TaskState.UNKNOWN.value

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID) -> Self:
        """One instance. Raises NotFound."""
        row = await context.db.read(rows.one, instances, WHAT, {"uuid": str(uuid)})
        return from_row(cls, row, context=context)

    @remotable
    async def create(self, security_groups: tuple[int, ...] = ()) -> None:
        """Keep a new instance, in these security groups."""
        self.created_at = now()
        self.id = await self.context.db.write(_insert, self, security_groups, self.context.db.store_manifest())
        self.reset_changes()

    @remotable
    async def save(self, expect: dict[str, str | None] | None = None) -> None:
        """Keep what changed, and nothing else. Raises NotFound, and Conflict if the row has not the expected values."""
        self.updated_at = now()
        await self.context.db.write(_update, self, expect or {}, self.context.db.store_manifest())
        self.reset_changes()

    @remotable
    async def destroy(self, expect: dict[str, str | None] | None = None) -> None:
        """Forget it, if its row has the expected values. Raises Conflict and NotFound."""
        await self.context.db.write(_delete, self.uuid, expect or {})


class InstanceList(ObjectList[Instance], version="1.0"):
    """Instances, in the order in which they were made."""

    @classmethod
    @remotable
    async def get_all(cls, context: Context) -> Self:
        """The instances of all projects."""
        return from_rows(cls, await context.db.read(rows.every, instances, {}), context=context)

    @classmethod
    @remotable
    async def get_by_project(cls, context: Context, project_id: str) -> Self:
        """The instances of one project."""
        return from_rows(cls, await context.db.read(rows.every, instances, {"project_id": project_id}), context=context)

    @classmethod
    @remotable
    async def get_by_host(cls, context: Context, host: str) -> Self:
        """The instances on one host."""
        return from_rows(cls, await context.db.read(rows.every, instances, {"host": host}), context=context)

    @classmethod
    @remotable
    async def count_by_host(cls, context: Context) -> dict[str, int]:
        """How many instances each host has; hosts without any are not named."""
        counted: dict[str, int] = await context.db.read(_count)
        return counted


def _insert(connection: Connection, instance: Instance, groups: Iterable[int], manifest: Manifest | None) -> int:
    id = rows.add(connection, instances, WHAT, str(instance.uuid), to_row(instance, manifest=manifest))
    for group in groups:
        member = {"security_group_id": group, "instance_uuid": str(instance.uuid)}
        connection.execute(insert(security_group_instances).values(member))
    return id


def _update(
    connection: Connection, instance: Instance, expect: Mapping[str, str | None], manifest: Manifest | None
) -> None:
    row = _checked(connection, instance.uuid, expect)
    values = to_row(instance, only_changes=True, onto=row, manifest=manifest)
    connection.execute(update(instances).filter_by(id=row["id"]).values(values))


def _delete(connection: Connection, uuid: UUID, expect: Mapping[str, str | None]) -> None:
    _checked(connection, uuid, expect)
    connection.execute(delete(security_group_instances).filter_by(instance_uuid=str(uuid)))
    connection.execute(delete(instances).filter_by(uuid=str(uuid)))


def _checked(connection: Connection, uuid: UUID, expect: Mapping[str, str | None]) -> Row:
    """The compare of a compare-and-swap: the transaction, which writes, keeps others out until its end."""
    row = rows.one(connection, instances, WHAT, {"uuid": str(uuid)})
    check_expected(Instance, row, expect)
    return row


def _count(connection: Connection) -> dict[str, int]:
    counted = select(instances.c.host, func.count()).where(instances.c.host.is_not(None)).group_by(instances.c.host)
    return {host: count for host, count in connection.execute(counted)}  # noqa: C416  # a Row is no pair to a checker
