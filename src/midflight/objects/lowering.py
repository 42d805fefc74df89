"""How objects are taken apart into plain values, in the versions of a peer or of what is at rest."""

from __future__ import annotations

import math
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from midflight import telemetry
from midflight.errors import InvalidValue, PinnedOut
from midflight.objects import tracking
from midflight.objects.base import VersionedObject
from midflight.objects.coercion import to_builtins
from midflight.objects.kinds import Kind
from midflight.objects.marks import INSIDE, NEW, field_of, of_fields
from midflight.objects.rewrites import CHANGED, TAG, bring_back
from midflight.objects.riding import RIDING, Riding, packed, unpacked
from midflight.objects.shape import Shape
from midflight.objects.types import CODECS, codec_of
from midflight.versions import Manifest, Version

REPLY = "reply"
"""Where an encoding says what is: there, a newer field is left out though it was set. Elsewhere that loses a wish."""
STORE = "store"
"""Where an encoding is kept."""


class Lowering:
    """Takes objects apart for a peer; one per encoding."""

    def __init__(self, manifest: Manifest | None, where: str, peer: str, *, json: bool = False) -> None:
        self.manifest, self.where, self.peer = manifest, where, peer
        self.plain: tuple[type, ...] = () if json else (bytes, datetime, msgspec.Raw)

    def lower(self, value: Any) -> Any:
        """The plain form of any value."""
        if isinstance(value, VersionedObject):
            return self._object(value)
        if CODECS and (codec := codec_of(type(value))):
            return self.lower(codec.encode(value))
        if isinstance(value, dict):
            return {self._key(key): self.lower(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.lower(item) for item in value]
        return self._leaf(value)

    def _key(self, key: Any) -> Any:
        plain = _hashable(self.lower(key))
        if self.plain or isinstance(plain, str):
            return plain
        return msgspec.json.encode(plain).decode() if isinstance(plain, tuple) else str(plain)

    def _leaf(self, value: Any) -> Any:
        if type(value) is float and not self.plain and math.isinf(value):
            return str(value)  # JSON has none
        if value is None or isinstance(value, self.plain) or type(value) in (str, int, bool, float):
            return value
        return to_builtins(value)

    def _object(self, obj: VersionedObject, *, whole: bool = False) -> dict[str, Any]:
        """``whole``: it is kept as a part of something that has changed, so what is left out of it gets lost."""
        shape = obj.__shape__.known_to(self.manifest)
        target = shape.version if self.manifest is None else shape.target(self.manifest, self.peer)
        changes = _Changes(tracking.marks(obj), whole=whole or self.where == STORE)
        if shape is not obj.__shape__:
            self._say_less(obj, shape, changes)
        wire = self._fields_in(obj, shape, target, changes)

        def refuse(name: str, since: Version) -> None:
            if self.where != REPLY and changes.matter(name):
                raise self._pinned_out(obj, name, f"{shape.name} {since}", f"{shape.name} {target}")

        lossy, changes.marks = bring_back(shape, obj, wire, target, changes.marks, refuse)
        if target < shape.version:
            labels = {"lossy": "yes"} if lossy else {}
            telemetry.count(
                "objects.backport", 1, object=shape.name, from_version=str(shape.version), to_version=str(target),
                where=self.where, peer=self.peer, **labels,
            )  # fmt: skip
        expected = sum(field.exists_in(target) for field in (*shape.fields.values(), *shape.tombstones.values()))
        tag = f"{shape.name}:{target}{'' if len(wire) == expected else '~'}"
        if self.where != STORE and obj._riding is not msgspec.UNSET:
            self._let_ride(obj._riding, wire, shape, target)
        return {TAG: tag, **wire} | ({} if self.where == STORE else changes.of(wire))

    def _let_ride(self, riding: Riding, wire: dict[str, Any], shape: Shape, target: Version) -> None:
        """What rides along goes where it belongs, if the peer still has a field that is gone here, or beside."""
        version, riders, changed = unpacked(riding)
        for name in riders.keys() & shape.tombstones.keys():
            if shape.tombstones[name].exists_in(target):
                wire[name] = riders.pop(name)
        beside = packed(version or target, riders, changed)
        if beside is not msgspec.UNSET:
            wire[RIDING] = beside

    def _say_less(self, obj: VersionedObject, base: Shape, changes: _Changes) -> None:
        """An object leaves as its base class, for who does not know its own."""
        own = obj.__shape__
        for name in own.fields.keys() - base.fields.keys():
            self._refuse_loss(obj, name, f"{own.name} {own.version}", f"{base.name}, not {own.name}", changes)
        telemetry.count(
            "objects.backport", object=own.name, from_version=str(own.version), to_version=base.name,
            where=self.where, peer=self.peer,
        )  # fmt: skip

    def _fields_in(self, obj: VersionedObject, shape: Shape, target: Version, changes: _Changes) -> dict[str, Any]:
        wire = {}
        for name, field in shape.fields.items():
            if not obj.is_set(name):
                continue
            if field.exists_in(target):
                wire[name] = self._part(getattr(obj, name), field.kind, whole=changes.replace(name))
            else:
                self._refuse_loss(obj, name, f"{shape.name} {field.since}", f"{shape.name} {target}", changes)
        for name, field in shape.tombstones.items():
            if field.exists_in(target) and field.has_default:
                wire[name] = self.lower(field.make_default())
        return wire

    def _part(self, value: Any, kind: Kind, *, whole: bool) -> Any:
        if whole and kind.objects:
            value = kind.mapped(value, partial(self._object, whole=True))
        return self.lower(value)

    def _refuse_loss(self, obj: VersionedObject, name: str, needs: str, pinned: str, changes: _Changes) -> None:
        """A field is left out only where that loses nothing, or in a reply, which says what is."""
        if self.where == REPLY or not obj.is_set(name):
            return
        default = obj.__shape__.fields[name].is_default(getattr(obj, name))
        if changes.matter(name) and (changes.would_stay(name) or not default):
            raise self._pinned_out(obj, name, needs, pinned)

    def _pinned_out(self, obj: VersionedObject, name: str, needs: str, pinned: str) -> PinnedOut:
        field = obj.__shape__.fields[name]
        return PinnedOut(what=f"{field.where} = {field.shown(getattr(obj, name))}", needs=needs, pinned=pinned)


class _Changes:
    """What has changed in one object, and what that means for a field that a peer cannot take."""

    def __init__(self, marks: set[str], *, whole: bool) -> None:
        self._marks, self._whole = marks, whole
        self.marks = marks
        """By the names of the peer's version, once the backports have run."""

    def matter(self, name: str) -> bool:
        """Whether the peer is to keep this field."""
        return self._whole or name in map(field_of, self._marks)

    def replace(self, name: str) -> bool:
        """Whether the peer is to keep what is in this field, and not only what has changed in the objects inside."""
        return self._whole or any(field_of(mark) == name and not mark.endswith(INSIDE) for mark in self._marks)

    def would_stay(self, name: str) -> bool:
        """Whether what is kept already would stay as it was before the change; of a new object nothing is."""
        return not self._whole and self.replace(name) and NEW not in self._marks

    def of(self, wire: dict[str, Any]) -> dict[str, list[str]]:
        """As they travel: those of fields that the peer can take."""
        return {CHANGED: sorted(of_fields(self.marks, wire))} if self.marks else {}


def _hashable(plain: Any) -> Any:
    return tuple(map(_hashable, plain)) if isinstance(plain, list) else plain


def to_json(obj: VersionedObject, manifest: Manifest | None = None) -> dict[str, Any]:
    """The object as plain JSON with its version, for a column or a file; under a manifest, in its version."""
    plain: dict[str, Any] = at_rest(obj, manifest)
    return plain


def at_rest(value: Any, manifest: Manifest | None = None) -> Any:
    """Any value as plain JSON, its objects with their versions and without their changes."""
    try:
        return Lowering(manifest, STORE, STORE, json=True).lower(value)
    except RecursionError as wrong:
        raise unsayable(value, wrong) from wrong


def unsayable(value: Any, wrong: Exception) -> InvalidValue:
    """The error for a value that no bytes can say."""
    expected = "what can travel: integers of 64 bits, times in the years 1 to 9999, no endless depth"
    return InvalidValue(path=type(value).__name__, received=str(wrong), expected=expected)
