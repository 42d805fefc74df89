"""One object of each class with a value in every field, and the envelopes: what golden bytes are made from."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import structs

from midflight.conductor.contract import OBJECTS as FRAMEWORK
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.containers import DictOf, ListOf, TupleOf
from midflight.objects.fields import Field
from midflight.objects.kinds import Constrained, Growing, Kind, Optional, Own, Unopened
from midflight.objects.nested import ObjectOf
from midflight.objects.registry import Registry
from midflight.rpc import messages
from midflight.rpc.messages import PROTOCOL, Fault, Reply, Request, Sender
from tests.golden import Golden, plain
from tests.objects import sample
from tests.testing.everything import EVERYTHING, Coins

OBJECTS: tuple[type[VersionedObject], ...] = (
    *FRAMEWORK,
    *EVERYTHING,
    sample.Disk,
    sample.Instance,
    sample.InstanceList,
)
REGISTRY = Registry(OBJECTS, "golden")
ENVELOPES: dict[str, Callable[[bytes], Any]] = {
    "Request": messages.decode_request, "Cast": messages.decode_request, "Reply": messages.decode_reply,
}  # fmt: skip

_FIELDS: dict[str, Any] = {
    "Bounded.count": 14, "Bounded.share": 0.5, "Bounded.letters": "abc", "Bounded.short": "ab",
}  # fmt: skip
"""Where the usual value does not fit."""
_VALUES: dict[str, Any] = {
    "bool": True, "int": 7, "float": 1.5, "str": "täxt", "bytes": b"\x00\xff", "Any": {"a": [1, None]},
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "date": date(2026, 1, 2), "time": time(3, 4, 5, 6),
    "timedelta": timedelta(days=1, seconds=2.5), "Decimal": Decimal("1.10"), "UUID": UUID(int=7), "NoneType": None,
    "Path": Path("/var/lib"), "MacAddress": "52:54:00:ab:cd:ef", "Url": "http://example.org/a",
    "IPv4Address": "10.0.0.1", "IPv6Address": "fe80::1", "IPv4Network": "10.0.0.0/24",
    "IPv6Network": "fe80::/64", "IPv4Interface": "10.0.0.1/24",
    "IPv6Interface": "fe80::1/64",
}  # fmt: skip


def current() -> Iterator[Golden]:
    """Golden bytes of every version of today."""
    for cls in OBJECTS:
        yield of_object(cls)
    envelopes = {"Request": request(), "Cast": cast(), "Reply": reply()}
    yield from (of_envelope(name, message) for name, message in envelopes.items())


def of_object(cls: type[VersionedObject]) -> Golden:
    """The object, clean."""
    obj = made(cls)
    obj.reset_changes()
    data = wire.encode(obj)
    says = plain(data) if _is_parcel(cls) else wire.to_json(obj)
    return Golden(cls.__name__, str(cls.__shape__.version), data, says)


def _is_parcel(cls: type[VersionedObject]) -> bool:
    """What holds something unopened cannot rest as JSON."""
    return any(isinstance(field.kind, Unopened) for field in cls.__shape__.fields.values())


def of_envelope(name: str, message: Request | Reply) -> Golden:
    data = messages.encode(message)
    return Golden(name, str(PROTOCOL), data, plain(data))


def request() -> Request:
    """One with every field that was there at first."""
    return Request(
        protocol=PROTOCOL, sender=_sender(), kind="call", interface="compute", version="3.35", method="echo",
        arguments=msgspec.Raw(msgspec.msgpack.encode({"text": "x"})), manifest="0000",
        manifest_text={"compute": ["3.35"], "Disk": ["1.1", "1.0"]}, values={"user": "ada"}, request_id="req-1",
        message_id="msg-1", host="h1", ttl=2.5, audience=("0000",),
    )  # fmt: skip


def cast() -> Request:
    """One with a key and an end."""
    return structs.replace(request(), kind="cast", ttl=None, audience=(), order="vm-1", expires=1_800_000_000.5)


def reply() -> Reply:
    """One with every field."""
    fault = Fault(family="project", kind="Overloaded", message="too much", facts={"load": 3}, args=(3, None))
    result = msgspec.Raw(msgspec.msgpack.encode([1]))
    return Reply(protocol=PROTOCOL, sender=_sender(), status="failed", result=result, fault=fault)


def _sender() -> Sender:
    return Sender("api", "a1", "kilo", "api-a1", 7)


def made(cls: type[VersionedObject], depth: int = 1) -> VersionedObject:
    """All fields set; no further down than objects inside objects inside it."""
    fields = cls.__shape__.resolve().fields.values()
    return cls(**{field.name: _value(field, depth) for field in fields if depth or not _holds(field)})


def _holds(field: Field) -> bool:
    return bool(field.kind.objects) and (field.has_default or field.lazy)


def _value(field: Field, depth: int) -> Any:
    return _FIELDS[field.where] if field.where in _FIELDS else _of(field.kind, depth)


def _of(kind: Kind, depth: int) -> Any:
    match kind:
        case Constrained() | Optional():
            return _of(kind.base, depth)
        case ListOf():
            return [_of(kind.item, depth)]
        case TupleOf():
            return [_of(item, depth) for item in kind.items]
        case DictOf():
            return {_of(kind.key, depth): _of(kind.value, depth)}
        case ObjectOf():
            return made(kind.shape.cls, depth - 1) if depth else None
        case Growing():
            return kind.fallback
        case Own():
            return Coins(7)
        case Unopened():
            return msgspec.Raw(msgspec.msgpack.encode({"a": 1}))
    return _leaf(kind)


def _leaf(kind: Kind) -> Any:
    if isinstance(kind.wire_type, type) and issubclass(kind.wire_type, enum.Enum):
        return list(kind.wire_type)[-1]
    if get_origin(kind.wire_type) is Literal:
        return get_args(kind.wire_type)[0]
    return kind.convert(_VALUES[kind.name.split(" | ")[0]])
