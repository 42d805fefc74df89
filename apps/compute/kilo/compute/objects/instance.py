"""Instances: the machines that somebody asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Self
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, insert, select, update

from compute import rows, spread
from compute.errors import NotFound
from compute.migrations import migrate_flavor_data
from compute.objects.flavor import Flavor
from compute.rows import Row
from compute.states import PowerState, TaskState, VmState
from compute.tables import columns, instances, now, security_group_instances, system_metadata
from midflight import (
    Conflict,
    Context,
    Form,
    ObjectList,
    VersionedObject,
    Wire,
    backport,
    field,
    from_json,
    from_row,
    remotable,
    to_json,
)

WHAT = "instance"
Found = tuple[Row, Flavor]
"""The row of an instance and what lies elsewhere."""


class Instance(VersionedObject, version="1.17"):
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
    locked: bool = False
    locked_by: str | None = field(since="1.17", default=None)
    access_ip_v4: IPv4Address | None = None
    access_ip_v6: IPv6Address | None = None
    reboots: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    flavor: Flavor
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @backport(before="1.17", lossy=True)
    def crashed_was_called_shutdown(self, wire: Wire) -> None:
        """Before 1.17 a machine that died by itself was like one that was shut down."""
        if wire.get("power_state") == PowerState.CRASHED:
            wire["power_state"] = PowerState.SHUTDOWN.value

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID) -> Instance:
        """One instance. Raises NotFound."""
        return _instance(await context.db.read(_find, uuid, context), context)

    @remotable
    async def create(self, security_groups: tuple[int, ...] = ()) -> None:
        """Keep a new instance, in these security groups."""
        self.created_at = now()
        self.id = await self.context.db.write(_insert, self.uuid, self.changes(), security_groups, self.context)
        self.reset_changes()

    @remotable
    async def save(self, expect: dict[str, str | None] | None = None) -> None:
        """Keep what changed, and nothing else. Raises NotFound, and Conflict if the row has not the expected values."""
        self.updated_at = now()
        await self.context.db.write(_update, self.uuid, self.changes(), expect or {}, self.context)
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
        return cls._of(await context.db.read(_fetch, {}, context), context)

    @classmethod
    @remotable
    async def get_by_project(cls, context: Context, project_id: str) -> Self:
        """The instances of one project."""
        return cls._of(await context.db.read(_fetch, {"project_id": project_id}, context), context)

    @classmethod
    @remotable
    async def get_by_host(cls, context: Context, host: str) -> Self:
        """The instances on one host."""
        return cls._of(await context.db.read(_fetch, {"host": host}, context), context)

    @classmethod
    @remotable
    async def count_by_host(cls, context: Context) -> dict[str, int]:
        """How many instances each host has; hosts without any are not named."""
        counted: dict[str, int] = await context.db.read(_count)
        return counted

    @classmethod
    def _of(cls, found: Iterable[Found], context: Context) -> Self:
        return from_row(cls, {}, objects=[_instance(each, context) for each in found], context=context)


def _instance(found: Found, context: Context) -> Instance:
    row, flavor = found
    return from_row(Instance, row, flavor=flavor, context=context)


def _form(context: Context) -> Form:
    """How the flavors of instances are kept. Asked inside the transaction, for no change of form comes into one."""
    form: Form = context.db.form(migrate_flavor_data.name)
    return form


def _fetch(connection: Connection, by: Mapping[str, Any], context: Context) -> list[Found]:
    found = rows.every(connection, instances, by)
    flavors = _flavors(connection, found, by, _form(context))
    return [(row, flavors[row["uuid"]]) for row in found]


def _flavors(connection: Connection, found: list[Row], by: Mapping[str, Any], form: Form) -> dict[str, Flavor]:
    """By UUID, as the form says; where there is no new one yet, the old one speaks."""
    new = {row["uuid"]: from_json(row["flavor"], Flavor) for row in found if form.reads_new and row["flavor"]}
    return new if len(new) == len(found) else {**spread.gather(connection, by), **new}


def _find(connection: Connection, uuid: UUID, context: Context) -> Found:
    if found := _fetch(connection, {"uuid": str(uuid)}, context):
        return found[0]
    raise NotFound(WHAT, str(uuid))


def _insert(connection: Connection, uuid: UUID, values: dict[str, Any], groups: Iterable[int], context: Context) -> int:
    of_row, flavor = _parted(values)
    form = _form(context)
    id = rows.add(connection, instances, WHAT, str(uuid), of_row | _column(connection, flavor, form))
    _keep(connection, id, uuid, flavor, form)
    for group in groups:
        connection.execute(insert(security_group_instances).values(security_group_id=group, instance_uuid=str(uuid)))
    return id


def _update(
    connection: Connection, uuid: UUID, changes: dict[str, Any], expect: Mapping[str, str | None], context: Context
) -> None:
    id = _check(connection, uuid, expect)["id"]
    of_row, flavor = _parted(changes)
    form = _form(context)
    new = of_row | _column(connection, flavor, form)
    connection.execute(update(instances).filter_by(uuid=str(uuid)).values(columns(new)))
    _keep(connection, id, uuid, flavor, form)


def _parted(values: Mapping[str, Any]) -> tuple[dict[str, Any], Flavor | None]:
    """What goes into the row as it is, and the flavor. What was given stays whole: a transaction may be run again."""
    return {name: value for name, value in values.items() if name != "flavor"}, values.get("flavor")


def _column(connection: Connection, flavor: Flavor | None, form: Form) -> dict[str, Any]:
    """A changed flavor in its new form, where that is read: the row must have it from the start."""
    if flavor is None or not form.reads_new:
        return {}
    return {"flavor": to_json(flavor, migrate_flavor_data.store_manifest(connection))}


def _keep(connection: Connection, id: int, uuid: UUID, flavor: Flavor | None, form: Form) -> None:
    """Write a changed flavor in its old form, as long as that is written; the new one then follows from it."""
    if flavor is not None and form.writes_old:
        spread.scatter(connection, str(uuid), flavor)
    if form.writes_old and form.writes_new:
        migrate_flavor_data.apply(connection, id)


def _delete(connection: Connection, uuid: UUID, expect: Mapping[str, str | None]) -> None:
    _check(connection, uuid, expect)
    for table in (security_group_instances, system_metadata):
        connection.execute(delete(table).filter_by(instance_uuid=str(uuid)))
    connection.execute(delete(instances).filter_by(uuid=str(uuid)))


def _check(connection: Connection, uuid: UUID, expect: Mapping[str, str | None]) -> Row:
    """The compare of a compare-and-swap: the transaction, which writes, keeps others out until its end."""
    row = rows.one(connection, instances, WHAT, {"uuid": str(uuid)})
    for name, expected in expect.items():
        if row[name] != expected:
            raise Conflict(object="Instance", field=name, actual=str(row[name]), expected=str(expected))
    return row


def _count(connection: Connection) -> dict[str, int]:
    counted = select(instances.c.host, func.count()).where(instances.c.host.is_not(None)).group_by(instances.c.host)
    return {host: count for host, count in connection.execute(counted)}  # noqa: C416  # a Row is no pair to a checker
