"""From annotations to kinds, compiled once. All kinds are found here."""

from __future__ import annotations

import enum
import sys
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Any, Literal

import msgspec

from midflight.errors import ProjectError
from midflight.objects.coercion import CHECKS, CONVERSIONS, hooked, to_either, to_enum, to_literal
from midflight.objects.containers import DictOf, ListOf, TupleOf
from midflight.objects.leaves import Anything, Binary, Growing, Kind, Leaf, Own, Unopened
from midflight.objects.types import Codec, learn_codec
from midflight.objects.wrappers import Constrained, Late, Optional

__all__ = [
    "Anything", "Binary", "Constrained", "DictOf", "Growing", "Kind", "Late", "Leaf", "ListOf", "Optional", "Own",
    "TupleOf", "Unopened", "exact", "is_time", "kind_of", "late",
    "made",
]  # fmt: skip

_WIRE_TYPES = {
    datetime: Annotated[datetime, msgspec.Meta(tz=True)],
    # NaN is outside of any bounds; so are the infinities, which the slow road lets through
    float: Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)],
    Decimal: hooked("Decimal", CONVERSIONS[Decimal], (Decimal,)),  # msgspec's own lets NaN through
}
_LEAVES: dict[Any, Kind] = {
    msgspec.Raw: Unopened(),
    Any: Anything(),
    **{
        type_: Leaf(type_, convert, getattr(type_, "__name__", str(type_)), _WIRE_TYPES.get(type_))
        for type_, convert in CONVERSIONS.items()
    },
    bytes: Binary(bytes, CONVERSIONS[bytes], "bytes"),
}


def kind_of(annotation: Any, objects: Callable[[Any], Kind | None], where: str) -> Kind:
    """Compile a resolved annotation. ``objects`` gives the kind of a versioned object's class, or None for others.

    Raises ProjectError that names ``where`` for a type that cannot travel.
    """

    def compile_(part: Any) -> Kind:
        return kind_of(part, objects, where)

    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if found := objects(annotation) or _LEAVES.get(type(None) if annotation is None else annotation):
        return found
    if origin is Annotated:
        return _annotated(args[0], args[1:], compile_, where)
    if origin in (typing.Union, types.UnionType):
        return _union(args, compile_, where)
    if origin is Literal and all(type(member) in (str, int, type(None)) for member in args):
        return Leaf(annotation, to_literal(annotation), str(args))
    if origin is list and len(args) == 1:
        return ListOf(list, compile_(args[0]))
    if origin in (set, frozenset) and len(args) == 1:
        return ListOf(origin, _unchanging(compile_(args[0]), annotation, where))
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return ListOf(tuple, compile_(args[0]))
    if origin is tuple and args:
        return TupleOf(tuple(map(compile_, args)))
    if origin in (dict, Mapping) and len(args) == 2:
        return DictOf(_unchanging(compile_(args[0]), annotation, where), compile_(args[1]))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Leaf(annotation, to_enum(annotation), annotation.__name__)
    raise ProjectError(
        where=where,
        reason=f"type {annotation!r} cannot travel: use bool, int, float, str, bytes, times, UUID, Decimal, "
        "IP addresses, Path, MacAddress, Url, an Enum, a Literal of text and numbers, a versioned object, list[…], "
        "set[…], tuple[…], dict[…, …] of these, any of them with | None, or a type of your own with a Codec",
    )


def _annotated(type_: Any, metas: tuple[Any, ...], compile_: Callable[[Any], Kind], where: str) -> Kind:
    """A type of the project's own, or one with constraints. Other remarks in an Annotated are none of our business."""
    if codec := next((meta for meta in metas if isinstance(meta, Codec)), None):
        learn_codec(type_, codec, where)
        return Own(type_, codec)
    constraints = tuple(meta for meta in metas if isinstance(meta, msgspec.Meta))
    return _constrained(compile_(type_), constraints) if constraints else compile_(type_)


def _constrained(kind: Kind, metas: tuple[msgspec.Meta, ...]) -> Kind:
    """Constraints on a type or None are constraints on the type: None has no bounds."""
    return Optional(_constrained(kind.base, metas)) if isinstance(kind, Optional) else Constrained(kind, metas)


def _unchanging(kind: Kind, annotation: Any, where: str) -> Kind:
    if kind.mutable:
        raise ProjectError(where=where, reason=f"{annotation!r} would hold by its content what can change: {kind.name}")
    return kind


def late(kind: Kind) -> Kind:
    """The same for a field, which may keep text until somebody reads it."""
    if isinstance(kind, Optional):
        return Optional(late(kind.base))
    check = CHECKS.get(kind.wire_type) if type(kind) is Leaf else None
    return kind if check is None else Late(kind, check)


def made(kind: Kind, value: Any) -> Any:
    """What reading a field shows of a value that may still be text."""
    inner = kind.base if isinstance(kind, Optional) else kind
    return inner.made(value) if isinstance(inner, Late) and value is not None else value


def is_time(kind: Kind) -> bool:
    """Whether it is a datetime, or None."""
    inner = kind.base if isinstance(kind, Optional) else kind
    return inner is _LEAVES[datetime]


_EXACT = (str, bool, bytes, uuid.UUID, date, time, timedelta)


def exact(kind: Kind) -> type | None:
    """The type whose values need no coercion to this kind; None where each value has to be looked at."""
    inner = kind.base if isinstance(kind, Optional) else kind
    if type(inner) not in (Leaf, Binary, Growing) or not isinstance(inner.wire_type, type):
        return None
    return inner.wire_type if inner.wire_type in _EXACT or issubclass(inner.wire_type, enum.Enum) else None


_EITHER = ({IPv4Address, IPv6Address}, {IPv4Network, IPv6Network}, {IPv4Interface, IPv6Interface})
"""Types that may stand in one union, since no text can mean two of them."""


def _union(args: tuple[Any, ...], compile_: Callable[[Any], Kind], where: str) -> Kind:
    parts = tuple(part for part in args if part is not type(None))
    if len(parts) > 1 and set(parts) in _EITHER:
        kind = _either(parts)
    elif len(parts) == 1:
        kind = compile_(parts[0])
    else:
        reason = f"received a union of {args}, expected one type, IPv4 and IPv6 of one sort, or one of these and None"
        raise ProjectError(where=where, reason=reason)
    return Optional(kind) if len(parts) < len(args) else kind


def _either(types_: tuple[Any, ...]) -> Kind:
    name = " | ".join(type_.__name__ for type_ in types_)
    convert = to_either(types_, name)
    return Leaf(None, convert, name, hooked(name, convert, types_))
