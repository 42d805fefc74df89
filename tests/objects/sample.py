"""One small project's objects, as two releases would have them: ``old`` is what 1.0 peers run."""

from datetime import datetime
from enum import Enum
from ipaddress import IPv4Address
from typing import Any, Self
from uuid import UUID

from midflight.context import Context
from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field, lazy
from midflight.objects.lists import ObjectList
from midflight.objects.remote import remotable


class Power(Enum):
    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class Disk(VersionedObject, version="1.1"):
    gigabytes: int
    encrypted: bool = field(since="1.1", default=False)


class Instance(VersionedObject, version="2.3"):
    """A machine somebody asked for."""

    uuid: UUID = field(read_only=True)
    memory_mb: int = 512
    locked: bool = False
    host: str | None = None
    power: Power = Power.OFF
    address: IPv4Address | None = None
    launched_at: datetime | None = None
    tags: list[str] = field(default_factory=list)
    labels: dict[str, list[int]] = field(default_factory=dict)
    disks: list[Disk] = lazy(since="2.1")
    boot: Disk | None = field(default=None, since="2.1")
    spares: dict[str, Disk] = field(default_factory=dict)
    created_at: datetime | None = field(since="2.2", default=None)
    zone: str = field(since="2.3", default="here")

    @backport(before="2.3")
    def paused_was_called_on(self, wire: Wire) -> None:
        """Peers before 2.3 know only on and off."""
        if wire.get("power") == "paused":
            wire["power"] = "on"

    @staticmethod
    @forwardport(since="2.3")
    def host_was_upper_case(wire: Wire) -> None:
        """Before 2.3 hosts were written in capitals."""
        if wire.get("host"):
            wire["host"] = wire["host"].lower()

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID, load: list[str] = []) -> Self:  # noqa: B006  # never changed
        row = await context.db.read(dict, uuid)
        return cls(context=context, **row)

    @remotable
    async def save(self, expect: dict[str, Any] | None = None) -> int:
        saved = len(self.changes())
        await self.context.db.write(self.changes())
        self.reset_changes()
        return saved

    @remotable
    async def load_disks(self) -> list[Disk]:
        return [Disk(gigabytes=7)]

    async def local(self) -> None: ...


class InstanceList(ObjectList[Instance], version="1.0"):
    pass
