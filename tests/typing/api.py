"""What a user writes, as type checkers see it: checked by mypy --strict and pyright, never run.

A line marked with an ignore must be an error: both checkers complain about an ignore that is not needed.
"""

# mypy: disable-error-code="empty-body"
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self, assert_type
from uuid import UUID

from midflight import (
    CannotBackport,
    Client,
    Context,
    Deferred,
    Interface,
    Manifest,
    ObjectList,
    Project,
    Row,
    RowContext,
    Runtime,
    Service,
    VersionedObject,
    Wire,
    backport,
    clone,
    data_migration,
    endpoint,
    field,
    forwardport,
    from_json,
    from_row,
    lazy,
    param,
    remotable,
    to_json,
)


class Power(StrEnum):
    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class Disk(VersionedObject, version="1.1"):
    gigabytes: int
    encrypted: bool = field(since="1.1", default=False)


class Instance(VersionedObject, version="2.3"):
    uuid: UUID = field(read_only=True)
    host: str | None = None
    power: Power = Power.OFF
    tags: list[str] = field(default_factory=list)
    disks: list[Disk] = lazy(since="2.1")
    created_at: datetime | None = field(since="2.2", default=None)

    @backport(before="2.3", lossy=True)
    def paused_was_called_on(self, wire: Wire) -> None:
        if self.host is None:
            raise CannotBackport("it would say that it runs somewhere")
        if wire.get("power") == "paused":
            wire["power"] = "on"

    @staticmethod
    @forwardport(since="2.2")
    def hosts_were_empty_strings(wire: Wire) -> None:
        wire["host"] = wire["host"] or None

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID, *, load: tuple[str, ...] = ()) -> Self: ...

    @remotable
    async def save(self, *, expect: dict[str, Any] | None = None) -> None: ...

    @remotable
    async def neighbours(self, count: int) -> list[Self]: ...


class InstanceList(ObjectList[Instance], version="1.0"):
    objects: list[Instance]

    @classmethod
    @remotable
    async def get_by_host(cls, context: Context, host: str) -> Self: ...


def construction(uuid: UUID, context: Context) -> None:
    instance = Instance(uuid=uuid, host="node-1", tags=["a"])
    assert_type(instance.host, str | None)
    assert_type(instance.disks, list[Disk])
    assert_type(instance.disks[0].encrypted, bool)
    assert_type(Instance.unset(context), Instance)
    Instance(host="node-1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the uuid is required
    Instance(uuid=uuid, hots="node-1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no such field
    Disk(gigabytes="20")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # coerced, yet not advertised


def vocabulary(instance: Instance) -> None:
    assert_type(instance.context, Context)
    assert_type(instance.is_set("disks"), bool)
    assert_type(instance.changes(), dict[str, Any])
    instance.reset_changes()
    instance.power = Power.PAUSED
    instance.power = 7  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # of another type


async def remotables(context: Context, uuid: UUID) -> None:
    instance = await Instance.get(context, uuid)
    assert_type(instance, Instance)
    assert_type(await Instance.get(context, uuid, load=("disks",)), Instance)
    assert_type(await instance.neighbours(3), list[Instance])
    await instance.load("disks")
    await instance.save()
    await instance.save(expect={"host": None})
    await Instance.get(context)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # which one?
    await instance.neighbours("three")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a count


async def lists(context: Context) -> None:
    found = await InstanceList.get_by_host(context, "node-1")
    assert_type(found, InstanceList)
    assert_type(found[0], Instance)
    assert_type(len(found), int)
    for instance in found:
        assert_type(instance, Instance)


def forms(instance: Instance, older: Manifest, context: Context) -> None:
    assert_type(to_json(instance, older), dict[str, Any])
    assert_type(from_json({}, Instance, context=context), Instance)
    assert_type(from_row(Instance, {"host": "node-1"}, disks=[]), Instance)
    assert_type(clone(instance), Instance)


class ComputeAPI(Interface, Protocol, topic="compute", version="4.0", serves=("3.36",)):
    @endpoint(since="3.35")
    async def reboot(self, context: Context, instance: Instance, hard: bool = param(False, since="3.36")) -> str: ...

    @endpoint(since="3.0", idempotent=True)
    async def build(self, context: Context, instance: Instance) -> None: ...

    @build.adapt(before="4.0", was="build_instance")
    @staticmethod
    def image_was_a_number(instance: Instance, image_id: int) -> Mapping[str, Any]:
        return {"instance": instance}

    @build.revert(before="4.0")
    @staticmethod
    def image_by_its_number(instance: Instance) -> Mapping[str, Any]:
        return {"instance": instance, "image_id": 7}


class ComputeAgent(ComputeAPI):
    async def reboot(self, context: Context, instance: Instance, hard: bool = False) -> str: ...

    async def build(self, context: Context, instance: Instance) -> None: ...


class ForgetfulAgent(ComputeAPI):
    async def build(self, context: Context, instance: Instance) -> None: ...


ForgetfulAgent()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]  # it forgets to reboot


class OtherAPI(Interface, Protocol, topic="other", version="1.0"):
    @endpoint(since="1.0")
    async def ping(self, context: Context) -> int: ...


async def calls(context: Context, instance: Instance) -> None:
    compute = Client(ComputeAPI)
    assert_type(await compute.call(ComputeAPI.reboot, context, instance, hard=True), str)
    assert_type(await compute.on("node-1").within(0.5).call(ComputeAPI.reboot, context, instance), str)
    await compute.cast(ComputeAPI.build, context, instance)
    await compute.fanout(ComputeAPI.build, context, instance)
    await compute.call(ComputeAPI.reboot, context, "node-1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no name
    await compute.call(ComputeAPI.reboot, context, instance, soft=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await compute.call(OtherAPI.ping, context)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not of compute


@data_migration(release="kilo", table="instances", key="id", todo="flavor IS NULL")
def flavor_leaves_system_metadata(row: Row, db: RowContext) -> Mapping[str, Any]:
    if row.task_state is not None:
        raise Deferred(row.task_state)
    assert_type(db.fetch("SELECT 1 WHERE :id = 1", id=row["id"]), list[Row])
    return {"flavor": {}}


@asynccontextmanager
async def compute(runtime: Runtime) -> AsyncGenerator[Sequence[object]]:
    assert_type(runtime.context(project="p"), Context)
    assert_type(runtime.hosts("compute"), list[str])
    yield [ComputeAgent()]


project = Project(
    name="compute",
    objects=[Disk, Instance, InstanceList],
    interfaces=[ComputeAPI, OtherAPI],
    services=[Service("compute", compute, agent=True), Service("api", compute, database=True)],
    migrations=[flavor_leaves_system_metadata],
    errors=[KeyError],
)
