"""The figures of midflight."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from benchmarks.objects import payload
from midflight import Manifest, ObjectList, Version, VersionedObject, clone, field, from_row, from_rows
from midflight.objects import wire
from midflight.objects.registry import Registry


class PowerState(Enum):
    RUNNING = "running"
    SHUTDOWN = "shutdown"


class Flavor(VersionedObject, version="1.2"):
    id: int
    name: str | None
    memory_mb: int
    vcpus: int
    root_gb: int
    ephemeral_gb: int
    flavorid: str
    is_public: bool
    rxtx_factor: float | None
    description: str | None = field(since="1.2", default=None)


class SecurityGroup(VersionedObject, version="1.1"):
    id: int
    name: str
    description: str | None
    user_id: str | None
    project_id: str | None


class SecurityGroupList(ObjectList[SecurityGroup], version="1.0"):
    pass


class Instance(VersionedObject, version="1.5"):
    id: int
    uuid: UUID
    user_id: str | None
    project_id: str | None
    image_ref: str | None
    hostname: str | None
    launch_index: int | None
    key_name: str | None
    key_data: str | None
    power_state: PowerState | None
    vm_state: str | None
    task_state: str | None
    memory_mb: int | None
    vcpus: int | None
    root_gb: int | None
    ephemeral_gb: int | None
    ephemeral_key_uuid: UUID | None
    host: str | None
    node: str | None
    reservation_id: str | None
    launched_at: datetime | None
    terminated_at: datetime | None
    availability_zone: str | None
    display_name: str | None
    display_description: str | None
    locked: bool
    os_type: str | None
    architecture: str | None
    root_device_name: str | None
    auto_disk_config: bool
    progress: int | None
    shutdown_terminate: bool
    access_ip_v4: IPv4Address | None
    access_ip_v6: IPv6Address | None
    config_drive: str | None
    metadata: dict[str, str]
    tags: list[str]
    created_at: datetime | None
    updated_at: datetime | None
    deleted: bool
    hidden: bool = field(since="1.5", default=False)
    flavor: Flavor
    security_groups: SecurityGroupList


class InstanceList(ObjectList[Instance], version="1.0"):
    pass


KIND = Registry([Flavor, SecurityGroup, SecurityGroupList, Instance, InstanceList]).kind
_LEVELS = {"Instance": "1.4", "Flavor": "1.1", "SecurityGroup": "1.1", "SecurityGroupList": "1.0"}
OLDER = Manifest({name: Version.parse(version) for name, version in _LEVELS.items()})


def loaded(row: dict[str, Any]) -> Instance:
    """A clean instance with all that belongs to it."""
    groups = from_rows(SecurityGroupList, row["security_groups"])
    return from_row(Instance, row, flavor=from_row(Flavor, row["flavor"]), security_groups=groups)


def figures() -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    row, received = payload.instance(), objects(1)[0]
    one, many = loaded(row), InstanceList(objects=[loaded(payload.instance(at)) for at in range(1000)])
    many.reset_changes()
    one_kind, many_kind, other = KIND(Instance), KIND(InstanceList), loaded(row)
    assigned = {**payload.ASSIGNED, "flavor": from_row(Flavor, payload.flavor())}
    looked_at = objects(1)[0]
    assert all([looked_at.metadata, looked_at.tags, looked_at.security_groups.objects])
    return {
        "round_trip": lambda: wire.decode(wire.encode(one), one_kind),
        "list_1000": lambda: wire.decode(wire.encode(many), many_kind),
        "read": payload.repeated("one.memory_mb", one=one),
        "from_row": lambda: loaded(row),
        "what_changed": received.changes,
        "what_changed_looked_at": looked_at.changes,
        "clone": lambda: clone(one),
        "backport": lambda: wire.encode(one, OLDER),
        **{
            f"assign_{name}": payload.repeated(f"other.{name} = value", other=other, value=value)
            for name, value in assigned.items()
        },
    }


def wire_bytes() -> int:
    """Bytes of one Instance."""
    return len(wire.encode(loaded(payload.instance())))


def objects(count: int) -> list[Any]:
    """Many instances, as they came over the wire."""
    kind, sent = KIND(Instance), [wire.encode(loaded(payload.instance(at))) for at in range(count)]
    return [wire.decode(data, kind) for data in sent]
