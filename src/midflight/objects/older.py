"""Forms of older versions that only leave fields out: made at first need, and encoded natively.

Most of what travels down is of this kind. Where there is more to be done (a named backport, a tombstone to fill in, a
change that could get lost), the object is taken apart instead: see ``lowering``.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal

import msgspec

from midflight import telemetry
from midflight.errors import CannotBackport
from midflight.objects.coercion import to_text
from midflight.objects.kinds import Kind
from midflight.objects.marks import of_fields
from midflight.objects.rewrites import CHANGED, TAG
from midflight.objects.shape import Shape
from midflight.objects.slots import RAW
from midflight.objects.types import CODECS, codec_of
from midflight.versions import Manifest, Version

_encode = msgspec.msgpack.Encoder(enc_hook=to_text).encode


class _TakeApart(Exception):
    """There is more to be done than to leave fields out."""


class Plan:
    """How complete objects of one class become those of an older version."""

    def __init__(self, shape: Shape, target: Version) -> None:
        self.fields = [name for name, field in shape.fields.items() if field.exists_in(target)]
        self.is_older = target < shape.version
        self._labels = {"object": shape.name, "from_version": str(shape.version), "to_version": str(target)}
        self.form = msgspec.defstruct(
            shape.name, [*((name, Any) for name in self.fields), ("_changed", Any)],
            tag=f"{shape.name}:{target}", tag_field=TAG, rename={"_changed": CHANGED},
        )  # fmt: skip
        names = [RAW + name for name in self.fields]
        self.values: Callable[[Any], tuple[Any, ...]] = attrgetter(*names, "_changed")
        """All fields at once, and the changes."""
        self.holders: list[tuple[int, Kind]] = [
            (at, shape.fields[name].kind) for at, name in enumerate(self.fields) if shape.fields[name].kind.objects
        ]
        self._counters: dict[tuple[str, str], Callable[[int], None]] = {}

    def count(self, number: int, where: str, peer: str) -> None:
        """So many objects became older; where only what is inside did, there is nothing to count."""
        if not self.is_older:
            return
        counter = self._counters.get((where, peer))
        if counter is None:
            counter = telemetry.counter("objects.backport", **self._labels, where=where, peer=peer)
            self._counters[where, peer] = counter
        counter(number)


Road = Plan | None | Literal[True]
"""How objects of a class go to a peer: True, as they are; by a plan; or None, taken apart."""
_UNKNOWN: Any = object()


def road_for(shape: Shape, manifest: Manifest) -> Road:
    """How objects of this class, with all inside, go to a peer with this manifest."""
    road: Road = shape.roads.get(manifest.digest, _UNKNOWN)
    if road is _UNKNOWN:
        road = (shape.same_under(manifest) or _plan(shape, manifest)) if shape.is_plain else None
        shape.roads[manifest.digest] = road
    return road


def _plan(shape: Shape, manifest: Manifest) -> Plan | None:
    try:
        target = shape.target(manifest, "")
    except CannotBackport:
        return None
    rewritten = any(target < before for before, _ in shape.backports)
    filled_in = any(field.exists_in(target) for field in shape.tombstones.values())
    return None if rewritten or filled_in else Plan(shape, target)


def encode_older(value: Any, manifest: Manifest, where: str, peer: str, *, is_reply: bool) -> bytes | None:
    """The bytes of a value in the versions of a peer, where these only leave fields out; None where there is more to be
    done. A reply says what is, not what to save. What became older is counted."""
    made: dict[Plan, int] = {}

    def older(obj: Any) -> Any:
        plan = road_for(obj.__shape__, manifest)
        if plan is True:
            return obj
        if plan is None or type(obj) is not obj.__shape__.cls or obj._riding is not msgspec.UNSET:
            raise _TakeApart
        made[plan] = made.get(plan, 0) + 1
        *values, changed = plan.values(obj)
        for at, kind in plan.holders:
            values[at] = older(values[at]) if kind.is_object else kind.mapped(values[at], older)
        return plan.form(*values, changed if changed is msgspec.UNSET else _known(changed, plan, is_reply))

    try:
        data = _encode(_mapped(value, older))
    except (_TakeApart, AttributeError):  # or a field is unset
        return None
    for plan, number in made.items():
        plan.count(number, where, peer)
    return data


def _mapped(value: Any, older: Callable[[Any], Any]) -> Any:
    """The value with the older form of each object; to be encoded natively."""
    if hasattr(type(value), "__shape__"):
        return older(value)
    if isinstance(value, dict):
        return {key: _mapped(item, older) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mapped(item, older) for item in value]
    if CODECS and codec_of(type(value)):
        raise _TakeApart
    return value


def _known(changed: set[str], plan: Plan, is_reply: bool) -> set[str]:
    """The changes of a reply. Elsewhere each has to be looked at: one that is left out would be lost."""
    if not is_reply:
        raise _TakeApart
    return of_fields(changed, plan.fields)
