"""How objects are taken apart into plain values, in the versions of a peer or of what is at rest."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import msgspec

from midflight import telemetry
from midflight.errors import PinnedOut
from midflight.objects import tracking
from midflight.objects.base import VersionedObject
from midflight.objects.coercion import to_text
from midflight.objects.rewrites import CHANGED, TAG
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
        plain = self.lower(key)
        return plain if self.plain or isinstance(plain, str) else str(plain)

    def _leaf(self, value: Any) -> Any:
        if type(value) is float and not self.plain and math.isinf(value):
            return str(value)  # JSON has none
        if value is None or isinstance(value, self.plain) or type(value) in (str, int, bool, float):
            return value
        return msgspec.to_builtins(value, str_keys=False, enc_hook=to_text)

    def _object(self, obj: VersionedObject) -> dict[str, Any]:
        shape = obj.__shape__.known_to(self.manifest)
        target = shape.version if self.manifest is None else shape.target(self.manifest, self.peer)
        changed = tracking.changed_names(obj)
        if shape is not obj.__shape__:
            self._say_less(obj, shape, changed)
        wire = self._fields_in(obj, shape, target, changed)
        for before, rewrite in shape.backports:
            if target < before:
                rewrite(obj, wire)
        if target < shape.version:
            telemetry.count(
                "objects.backport", object=shape.name, from_version=str(shape.version), to_version=str(target),
                where=self.where, peer=self.peer,
            )  # fmt: skip
        expected = sum(field.exists_in(target) for field in (*shape.fields.values(), *shape.tombstones.values()))
        tag = f"{shape.name}:{target}{'' if len(wire) == expected else '~'}"
        if self.where != STORE and obj._riding is not msgspec.UNSET:
            self._let_ride(obj._riding, wire, shape, target)
        return {TAG: tag, **wire} | ({CHANGED: sorted(changed & wire.keys())} if changed else {})

    def _let_ride(self, riding: Riding, wire: dict[str, Any], shape: Shape, target: Version) -> None:
        """What rides along goes where it belongs, if the peer still has a field that is gone here, or beside."""
        version, riders, changed = unpacked(riding)
        for name in riders.keys() & shape.tombstones.keys():
            if shape.tombstones[name].exists_in(target):
                wire[name] = riders.pop(name)
        beside = packed(version or target, riders, changed)
        if beside is not msgspec.UNSET:
            wire[RIDING] = beside

    def _say_less(self, obj: VersionedObject, base: Shape, changed: set[str]) -> None:
        """An object leaves as its base class, for who does not know its own."""
        own = obj.__shape__
        for name in changed - base.fields.keys():
            self._refuse_loss(obj, name, f"{own.name} {own.version}", f"{base.name}, not {own.name}")
        telemetry.count(
            "objects.backport", object=own.name, from_version=str(own.version), to_version=base.name,
            where=self.where, peer=self.peer,
        )  # fmt: skip

    def _fields_in(self, obj: VersionedObject, shape: Shape, target: Version, changed: set[str]) -> dict[str, Any]:
        wire = {}
        for name, field in shape.fields.items():
            if not obj.is_set(name):
                continue
            if field.exists_in(target):
                wire[name] = self.lower(getattr(obj, name))
            elif name in changed:
                self._refuse_loss(obj, name, f"{shape.name} {field.since}", f"{shape.name} {target}")
        for name, field in shape.tombstones.items():
            if field.exists_in(target) and field.has_default:
                wire[name] = self.lower(field.make_default())
        return wire

    def _refuse_loss(self, obj: VersionedObject, name: str, needs: str, pinned: str) -> None:
        """A changed field is left out only where that loses nothing, or in a reply, which says what is."""
        field, value = obj.__shape__.fields[name], getattr(obj, name)
        if self.where != REPLY and not field.is_default(value):
            raise PinnedOut(what=f"{field.where} = {field.shown(value)}", needs=needs, pinned=pinned)


def to_json(obj: VersionedObject, manifest: Manifest | None = None) -> dict[str, Any]:
    """The object as plain JSON with its version, for a column or a file; under a manifest, in its version."""
    plain: dict[str, Any] = at_rest(obj, manifest)
    return plain


def at_rest(value: Any, manifest: Manifest | None = None) -> Any:
    """Any value as plain JSON, its objects with their versions and without their changes."""
    return _without_changes(Lowering(manifest, STORE, STORE, json=True).lower(value))


def _without_changes(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_changes(item) for key, item in plain.items() if not (key == CHANGED and TAG in plain)}
    return [_without_changes(item) for item in plain] if isinstance(plain, list) else plain
