"""Values of every kind that a field can have, and whole objects of them: what Hypothesis draws from."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable, Mapping
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, ResolutionFailed

from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject
from midflight.objects.coercion import Refused
from midflight.objects.containers import DictOf, ListOf, TupleOf
from midflight.objects.contract import CONSTRAINTS
from midflight.objects.kinds import Constrained, Growing, Kind, Optional, Own, Unopened
from midflight.objects.nested import ObjectOf
from midflight.objects.types import MacAddress, Url

Strategy = st.SearchStrategy[Any]
Limits = Mapping[str, Any]
"""The bounds, lengths and patterns of a msgspec.Meta."""

DEPTH = 2
"""Objects inside objects inside an object; what can be empty further in, is."""
_MOST = 3
"""Elements of a container that says nothing of its length."""
_ENDLESS = -10

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=_MOST) | st.dictionaries(st.text(max_size=4), inner, max_size=_MOST),
    max_leaves=5,
)
"""What any format can say."""


class Strategies:
    """Derived from kinds and classes. ``own`` are those for a project's own types."""

    def __init__(self, own: Mapping[type, Strategy]) -> None:
        self.own = own
        self._known: dict[tuple[type, int], Strategy] = {}

    def objects(self, cls: type[VersionedObject]) -> Strategy:
        """Objects with all their fields, lazy ones set or not, some loaded in part. All of it is changed."""
        fields = self._fields(cls, DEPTH)
        return self.full(cls) | _in_part(cls, st.fixed_dictionaries({}, optional=fields))

    def full(self, cls: type[VersionedObject], depth: int = DEPTH) -> Strategy:
        """Objects with all their fields, lazy ones set or not."""
        if depth < _ENDLESS:
            raise ProjectError(where=cls.__name__, reason="holds one of its own kind without an end: none can be made")
        if (cls, depth) not in self._known:
            fields = self._fields(cls, depth)
            lazy = {name for name in fields if cls.__shape__.fields[name].lazy}
            must = {name: values for name, values in fields.items() if name not in lazy}
            may = {name: values for name, values in fields.items() if name in lazy}
            self._known[cls, depth] = _whole(cls, st.fixed_dictionaries(must, optional=may))
        return self._known[cls, depth]

    def _fields(self, cls: type[VersionedObject], depth: int) -> dict[str, Strategy]:
        """Where it gets too deep, what need not be given is left out."""
        fields = cls.__shape__.resolve().fields.items()
        skipped = {n for n, f in fields if depth <= 0 and f.kind.objects and (f.lazy or f.has_default)}
        return {name: self.values(field.kind, depth) for name, field in fields if name not in skipped}

    def values(self, kind: Kind, depth: int = DEPTH, limits: Limits | None = None) -> Strategy:
        """Values of one kind, within the limits that were put round it."""
        limits = limits or {}
        match kind:
            case Constrained():
                inner = self.values(kind.base, depth, {**limits, **limits_of(kind)})
                return inner.filter(lambda value: _fits(kind, value))
            case Optional():
                return st.none() if _deep(kind, depth) else st.none() | self.values(kind.base, depth, limits)
            case ListOf():
                return self._list(kind, depth, limits)
            case DictOf():
                return self._dict(kind, depth, limits)
            case TupleOf():
                return st.tuples(*(self.values(item, depth) for item in kind.items))
            case ObjectOf():
                classes = [kind.shape.cls, *(sub.shape.cls for sub in kind.subs.values())]
                return st.one_of([self.full(cls, depth - 1) for cls in classes])
            case Own():
                return self._own(kind)
            case Unopened():
                return PLAIN.map(lambda plain: msgspec.Raw(msgspec.msgpack.encode(plain)))
            case Growing():
                return st.sampled_from(type(kind.fallback))
        return leaf(kind, limits)

    def _list(self, kind: ListOf, depth: int, limits: Limits) -> Strategy:
        least, most = _sizes(kind, depth, limits)
        items, container = self.values(kind.item, depth) if most else st.nothing(), kind.container
        if container in (set, frozenset):
            sets = st.frozensets(items, min_size=least, max_size=most)
            return sets.map(container)
        return st.lists(items, min_size=least, max_size=most).map(container)

    def _dict(self, kind: DictOf, depth: int, limits: Limits) -> Strategy:
        least, most = _sizes(kind, depth, limits)
        keys, values = (self.values(part, depth) if most else st.nothing() for part in (kind.key, kind.value))
        return st.dictionaries(keys, values, min_size=least, max_size=most)

    def _own(self, kind: Own) -> Strategy:
        values = self.own[kind.type] if kind.type in self.own else st.from_type(kind.type)
        try:
            values.validate()
        except (ResolutionFailed, InvalidArgument) as wrong:
            reason = f"needs a strategy: roundtrip(project, strategies={{{kind.name}: st.builds(…)}}): {wrong}"
            raise ProjectError(where=kind.name, reason=reason) from None
        return values.map(kind.convert)


@st.composite  # so that an example is shown as the object that it is
def _whole(draw: st.DrawFn, cls: type[VersionedObject], fields: Strategy) -> VersionedObject:
    return cls(**draw(fields))


@st.composite
def _in_part(draw: st.DrawFn, cls: type[VersionedObject], fields: Strategy) -> VersionedObject:
    obj = cls.unset()
    for name, value in draw(fields).items():
        setattr(obj, name, value)
    return obj


def _fits(kind: Kind, value: Any) -> bool:
    try:
        kind.convert(value)
    except Refused:
        return False
    return True


def _deep(kind: Kind, depth: int) -> bool:
    return depth <= 0 and bool(kind.objects)


def _sizes(kind: Kind, depth: int, limits: Limits) -> tuple[int, int]:
    least = limits.get("min_length", 0)
    most = limits.get("max_length", least + _MOST)
    return least, (least if _deep(kind, depth) else most)


def limits_of(kind: Constrained) -> dict[str, Any]:
    """What its Metas say."""
    said = ((name, getattr(meta, name, None)) for meta in kind.metas for name in CONSTRAINTS)
    return {name: limit for name, limit in said if limit is not None}


def leaf(kind: Kind, limits: Limits) -> Strategy:
    """Values of a kind without parts, over all that it can hold."""
    wire_type = kind.wire_type
    if isinstance(wire_type, type) and issubclass(wire_type, enum.Enum):
        return st.sampled_from(wire_type)
    if get_origin(wire_type) is Literal:
        return st.sampled_from(get_args(wire_type))
    return st.one_of([_LEAVES[name](limits) for name in kind.name.split(" | ")])


def _integers(limits: Limits) -> Strategy:
    least = max(limits.get("ge", -(2**63)), limits.get("gt", -(2**63) - 1) + 1)
    most = min(limits.get("le", 2**64 - 1), limits.get("lt", 2**64) - 1)
    step = limits.get("multiple_of", 1)
    return st.integers(-(-least // step), most // step).map(lambda number: number * step)


def _floats(limits: Limits) -> Strategy:
    least, most = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    bounded = any(limit is not None for limit in (least, most))
    return st.floats(least, most, allow_nan=False, allow_infinity=not bounded)


def _decimals(limits: Limits) -> Strategy:
    least, most = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if "multiple_of" in limits:
        return _integers(limits).map(Decimal)
    bounded = any(limit is not None for limit in (least, most))
    return st.decimals(least, most, allow_nan=False, allow_infinity=not bounded)


def _texts(limits: Limits) -> Strategy:
    if "pattern" in limits:
        return st.from_regex(limits["pattern"])
    return st.text(min_size=limits.get("min_length", 0), max_size=limits.get("max_length"))


def _bytes(limits: Limits) -> Strategy:
    return st.binary(min_size=limits.get("min_length", 0), max_size=limits.get("max_length"))


def _of(values: Strategy) -> Callable[[Limits], Strategy]:
    return lambda limits: values


_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
_V4, _V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)


def _with_prefix(addresses: Strategy, longest: int, kind: str) -> Strategy:
    make = getattr(ipaddress, kind)
    more = {"strict": False} if kind.endswith("Network") else {}
    return st.builds(lambda address, bits: make((address, bits), **more), addresses, st.integers(0, longest))


_LEAVES: dict[str, Callable[[Limits], Strategy]] = {
    "int": _integers,
    "float": _floats,
    "str": _texts,
    "bytes": _bytes,
    "bool": _of(st.booleans()),
    "NoneType": _of(st.none()),
    "Any": _of(PLAIN),
    "datetime": _of(st.datetimes(timezones=st.just(UTC))),
    "date": _of(st.dates()),
    "time": _of(st.times()),
    "timedelta": _of(st.timedeltas()),
    "Decimal": _decimals,
    "UUID": _of(st.uuids()),
    "Path": _of(st.lists(_WORDS, max_size=_MOST).map(lambda parts: Path("/", *parts))),
    "MacAddress": _of(st.integers(0, 2**48 - 1).map(lambda number: MacAddress(f"{number:012x}"))),
    "Url": _of(st.builds(lambda host, path: Url(f"http://{host}/{path}"), _WORDS, _WORDS)),
    "IPv4Address": _of(_V4),
    "IPv6Address": _of(_V6),
    **{f"IPv4{sort}": _of(_with_prefix(_V4, 32, f"IPv4{sort}")) for sort in ("Network", "Interface")},
    **{f"IPv6{sort}": _of(_with_prefix(_V6, 128, f"IPv6{sort}")) for sort in ("Network", "Interface")},
}
