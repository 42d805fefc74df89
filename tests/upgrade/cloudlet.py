"""A project with one of everything that a frozen release lists."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self
from uuid import UUID

import msgspec

from midflight.context import Context
from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field, lazy
from midflight.objects.lists import ObjectList
from midflight.objects.remote import remotable
from midflight.project import Project
from midflight.rpc.interface import Interface, endpoint, param


class Power(StrEnum):
    OFF = "off"
    ON = "on"


class Disk(VersionedObject, version="1.1"):
    gigabytes: int
    label: Annotated[str, msgspec.Meta(pattern="^[a-z]+$", max_length=8)] = "disk"


class Instance(VersionedObject, version="2.3"):
    uuid: UUID = field(read_only=True)
    host: str | None = None
    power: Power = Power.OFF
    disks: list[Disk] = lazy(since="2.1")
    by_name: dict[str, Disk | None] = field(default_factory=dict, since="2.2")
    pair: tuple[int, str] = (0, "")
    sizes: tuple[int, ...] = ()
    mode: Literal["slow", "fast"] = "slow"
    created_at: datetime | None = field(since="2.2", default=None)

    @backport(before="2.3")
    def paused_was_called_on(self, wire: Wire) -> None:
        """Agents before 2.3 know only on
        and "off"."""
        if wire.get("power") == "paused":
            wire["power"] = "on"

    @staticmethod
    @forwardport(since="2.1")
    def disks_were_one(wire: Wire) -> None:
        """A peer before 2.1 has one disk."""

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID, load: tuple[str, ...] = ()) -> Self:
        raise NotImplementedError

    @remotable
    async def save(self) -> None:
        raise NotImplementedError


class InstanceList(ObjectList[Instance], version="1.0"):
    objects: list[Instance]


class ComputeAPI(Interface, Protocol, topic="compute", version="4.1", serves=("3.35",)):
    @endpoint(since="3.35")
    async def build(self, context: Context, instance: Instance, hard: bool = param(False, since="4.1")) -> str: ...

    @build.adapt(before="4.0", was="build_instance")
    @staticmethod
    def image_was_a_number(instance: Instance, image_id: int) -> Mapping[str, Any]:
        return {"instance": instance}

    @endpoint(since="3.0", idempotent=True)
    async def power(self, context: Context, uuid: UUID) -> Power: ...


def cloudlet(releases: Path | None = None, *objects: Any) -> Project:
    """The project; its releases are frozen in that folder."""
    return Project(
        "cloudlet", objects=objects or (Disk, Instance, InstanceList), interfaces=[ComputeAPI], releases=releases
    )


WORDS = """\
# What release kilo understands, written by `midflight release freeze kilo`.
# Review it; never edit it: a running fleet may be pinned to it.

release = "kilo"
sequence = 2

[objects.Disk]
version = "1.1"
readable_from = "1.0"

[objects.Disk.fields]
gigabytes = "int"
label = "str {pattern '^[a-z]+$', max_length 8}, default 'disk'"

[objects.Instance]
version = "2.3"
readable_from = "2.3"

[objects.Instance.fields]
uuid = "UUID, read-only"
host = "str | None, default None"
power = "Power(off | on), default off"
disks = "list[Disk], since 2.1, lazy"
by_name = "dict[str, Disk | None], default {}, since 2.2"
pair = "tuple[int, str], default (0, '')"
sizes = "tuple[int, ...], default ()"
mode = "('slow', 'fast'), default 'slow'"
created_at = "datetime | None, default None, since 2.2"

[objects.Instance.remotables]
get = "(uuid: UUID, load: tuple[str, ...] = ()) -> Instance, of the class"
save = "() -> None"

[objects.Instance.backports]
paused_was_called_on = "before 2.3, body 18699bca, on power: Agents before 2.3 know only on and \\"off\\"."

[objects.Instance.forwardports]
disks_were_one = "since 2.1, body 614f0562: A peer before 2.1 has one disk."

[objects.InstanceList]
version = "1.0"
readable_from = "1.0"

[objects.InstanceList.fields]
objects = "list[Instance]"

[interfaces.compute]
version = "4.1"
serves = ["3.35"]

[interfaces.compute.endpoints]
build = "(instance: Instance, hard: bool = False since 4.1) -> str, since 3.35"
power = "(uuid: UUID) -> Power(off | on), since 3.0, idempotent"

[interfaces.compute.endpoints_in_3]
build_instance = "(instance: Instance, image_id: int) -> str, since 3.35, heard only"
power = "(uuid: UUID) -> Power(off | on), since 3.0, idempotent"

[interfaces.compute.adapters.build]
adapt_before_4 = "image_was_a_number, was build_instance, body 9eebf339: it has no docstring"
"""
"""What a release of it says, to the last letter."""
