"""Fields, lists, rows and remotables, as type checkers see them: checked by mypy --strict and pyright, never run.

A line marked with an ignore must be an error: both checkers complain about an ignore that is not needed.
"""

# mypy: disable-error-code="empty-body"
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, Self, assert_type
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Table

from midflight import (
    Context,
    Manifest,
    ObjectList,
    VersionedObject,
    Wire,
    backport,
    check_expected,
    clone,
    field,
    from_json,
    from_row,
    from_rows,
    lazy,
    remotable,
    to_json,
    to_row,
    types,
    update_row,
)


class State(StrEnum):
    BUILDING = "building"
    ACTIVE = "active"
    UNKNOWN = "unknown"


class Money:
    cents: int


def to_money(value: object) -> Money: ...


Price = Annotated[Money, types.Codec(coerce=to_money, encode=lambda money: money.cents, decode=to_money)]


class Disk(VersionedObject, version="1.0"):
    gigabytes: Annotated[int, msgspec.Meta(ge=1)]


class Instance(VersionedObject, version="1.3"):
    uuid: UUID = field(read_only=True)
    state: State = field(
        default=State.BUILDING, fallback=State.UNKNOWN, transitions={State.BUILDING: {State.ACTIVE}}, column="vm_state"
    )
    password: str = field(default="", sensitive=True)
    mode: Literal["slow", "fast"] = "slow"
    address: IPv4Address | IPv6Address | None = None
    price: Price | None = None
    weight: Decimal = Decimal(0)
    mac: types.MacAddress | None = None
    meta: dict[str, list[int]] = field(default_factory=dict)
    parent: Instance | None = None
    note: str = field(default="", since="1.2")
    disks: list[Disk] = lazy(since="1.1")

    async def load_disks(self) -> list[Disk]: ...

    @classmethod
    @remotable
    async def get(cls, context: Context, uuid: UUID) -> Self: ...

    @staticmethod
    @remotable
    async def count(context: Context, host: str | None = None) -> int: ...

    @remotable
    async def save(self, *, expect: Mapping[str, Any] | None = None) -> None: ...


class Guest(Instance, version="1.0"):
    note: str = ""
    disks: list[Disk] = lazy()
    os: str = "debian"


class InstanceList(ObjectList[Instance], version="1.0"):
    objects: list[Instance]

    @classmethod
    @remotable
    async def everything(cls, context: Context, after: UUID | None = None, limit: int = 500) -> Self: ...


def lazy_fields(uuid: UUID) -> None:
    """Not demanded, and typed when they are read."""
    instance = Instance(uuid=uuid)
    assert_type(instance.disks, list[Disk])
    instance.disks = [Disk(gigabytes=1)]
    instance.disks = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


def constructors(uuid: UUID) -> None:
    """Required fields are demanded, types are, and nothing is taken by its place."""
    Guest(uuid=uuid, os="alpine", parent=Instance(uuid=uuid))
    Instance()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the uuid is required
    Instance(uuid)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]  # by keywords only
    Instance(uuid=uuid, hots="n1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no such field
    Instance(uuid=uuid, mode="quick")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Instance(uuid=uuid, meta={"a": ["b"]})  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    Instance(uuid=uuid, parent=Disk(gigabytes=1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Instance(uuid=uuid, state="active")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # coerced, yet not advertised


def attributes(instance: Instance) -> None:
    """A misspelt one is no attribute, and each has its type."""
    assert_type(instance.state, State)
    assert_type(instance.address, IPv4Address | IPv6Address | None)
    assert_type(instance.meta["a"][0], int)
    _ = instance.sate  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    instance.weight = "1.10"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    instance.meta["a"] = [None]  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


class Options(VersionedObject, version="1.1"):
    """Whatever is misspelt in a declaration."""

    secret: str = field(default="", sensitiv=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    state: State = field(default=State.ACTIVE, transitons={})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    size: int = field(default="much")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    tags: list[str] = field(default_factory=dict)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    other: int = field(default=0, since=1.1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    codes: list[int] = lazy(default=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # it would be no lazy one

    @backport(before="1.1", losy=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    def was_something(self, wire: Wire) -> None: ...

    @backport("1.1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # before or since?
    def was_another(self, wire: Wire) -> None: ...


def rows(row: Mapping[str, Any], manifest: Manifest, context: Context) -> None:
    """What a class makes of rows, and back."""
    instance = from_row(Instance, row, context=context, disks=[])
    assert_type(instance, Instance)
    assert_type(from_rows(InstanceList, [row]), InstanceList)
    assert_type(to_row(instance), dict[str, Any])
    assert_type(to_row(instance, only_changes=True, onto=row, manifest=manifest), dict[str, Any])
    check_expected(Instance, row, {"state": None})
    from_rows(Instance, [row])  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]  # no list
    from_rows(InstanceList, row)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # one row
    from_row("Instance", row)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a name
    to_row(row)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    to_row(instance, only_change=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    to_json(instance, "juno")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a release is no manifest
    assert_type(from_json(to_json(instance, manifest), Instance), Instance)
    assert_type(clone(from_rows(InstanceList, [])), InstanceList)


def written(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Onto the row that was read."""
    update_row(connection, table, row, {"state": "active"}, revision="writes")
    update_row(connection, "instances", row, {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def lists(context: Context, uuid: UUID) -> None:
    """Page by page, each item of its type."""
    pages = InstanceList.paged(InstanceList.everything, context, key="uuid", limit=100)
    assert_type(pages, AsyncIterator[Instance])
    async for instance in pages:
        assert_type(instance, Instance)
    async for page in InstanceList.pages(InstanceList.everything, context, key="uuid", limit=100):
        assert_type(page, InstanceList)
    found = await InstanceList.everything(context)
    assert_type(found[1:3], list[Instance])
    assert_type(list(found), list[Instance])
    found["web"]  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    InstanceList.paged(InstanceList.everything, context)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the key
    InstanceList.paged(Instance.get, context, key="uuid")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no list
    await InstanceList.everything(context, limit="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def remotables(context: Context, uuid: UUID) -> None:
    """Class, static and instance methods keep their signatures."""
    instance = await Instance.get(context, uuid)
    assert_type(await Guest.get(context, uuid), Guest)
    assert_type(await Instance.count(context), int)
    assert_type(await instance.count(context, host="n1"), int)
    await instance.save(expect={"state": State.ACTIVE})
    await Instance.count()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # in whose name?
    await Instance.count("n1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the context first
    await Instance.count(context, hots="n1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await Instance.get(uuid)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]  # the context first
    await instance.save(expect="state")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await instance.load(Instance.disks)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # by name
    instance.save()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]  # it is not awaited


class Wrong(VersionedObject, version="1.0"):
    """What cannot run elsewhere."""

    @remotable  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no async def
    def now(self) -> datetime: ...
