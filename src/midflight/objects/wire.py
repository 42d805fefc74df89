"""Bytes and plain forms of objects, in any version that a peer asks for.

Between peers of one version an object is coded natively. Where a manifest asks for older versions, the object is taken
apart, fields that are too new are left out, and named backports rewrite the rest. What comes from an older peer is
brought forward; what comes from a newer one is read by skipping, where its sender's manifest says that this is sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from midflight.errors import InvalidValue, MalformedMessage, UnknownField
from midflight.objects import tracking
from midflight.objects.base import VersionedObject
from midflight.objects.coercion import to_text
from midflight.objects.kinds import Kind
from midflight.objects.lowering import REPLY, Lowering, to_json, unsayable
from midflight.objects.nested import kind_of_class
from midflight.objects.older import encode_older, goes_as_it_is
from midflight.objects.piecewise import UNREADABLE
from midflight.objects.riding import forget_changes
from midflight.objects.rows import check_expected, from_row, from_rows, to_row
from midflight.objects.slots import assign
from midflight.objects.types import CODECS, codec_of
from midflight.versions import Manifest

__all__ = [
    "REPLY", "apply", "check_expected", "clone", "decode", "decode_fields", "encode", "from_json", "from_row",
    "from_rows", "to_json", "to_row",
]  # fmt: skip

V = TypeVar("V", bound=VersionedObject)

_encode = msgspec.msgpack.Encoder(enc_hook=to_text).encode
_fields = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


_PLAIN = frozenset((str, int, bool, float, bytes, type(None), UUID, msgspec.Raw))
"""What is said natively unless a project has types of its own, and nothing is inside."""


def encode(value: Any, manifest: Manifest | None = None, *, where: str = "sender", peer: str = "") -> bytes:
    """Bytes for a peer with this manifest; without one, in our own versions.

    ``value`` is any nesting of objects, dicts, lists, sets, tuples and plain values. Raises CannotBackport, PinnedOut
    for a changed field that the peer cannot take, except in a reply, and InvalidValue for what no bytes can say. Every
    backport is counted with ``where`` it was made and the ``peer``.
    """
    try:
        return _encoded(value, manifest, where, peer)
    except (OverflowError, RecursionError) as wrong:
        raise unsayable(value, wrong) from wrong


def _encoded(value: Any, manifest: Manifest | None, where: str, peer: str) -> bytes:
    if _native(value, manifest):
        try:
            return _encode(value)
        except AttributeError:  # an unset field, somewhere inside
            pass
    elif manifest is not None and (data := encode_older(value, manifest, where, peer, is_reply=where == REPLY)):
        return data
    return _encode(Lowering(manifest, where, peer).lower(value))


def _native(value: Any, manifest: Manifest | None) -> bool:
    """Whether every object inside is understood as it is; notes changes made in place on the way."""
    if type(value) in _PLAIN and not CODECS:
        return True
    if isinstance(value, VersionedObject):
        tracking.fold(value)
        return value.__shape__.is_plain if manifest is None else goes_as_it_is(value, manifest)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple | set | frozenset):
        return not CODECS or codec_of(type(value)) is None
    return min([_native(item, manifest) for item in value], default=True)  # no short cut: all of them are folded


def decode(
    data: bytes | msgspec.Raw, kind: Kind, *, context: Any = None, sender: Manifest | None = None, path: str = ""
) -> Any:
    """The value of this kind in these bytes, whatever version its objects were sent in.

    ``sender`` is the manifest of who sent it, which says what may be read by skipping. Raises InvalidValue with the
    ``path`` to the wrong part, NotReadable, or MalformedMessage for bytes that are no MessagePack.
    """
    try:
        value = kind.read(data, path, sender)
        tracking.adopt(value, kind, context)
    except RecursionError:
        raise _too_deep(kind, path) from None
    return value


def _too_deep(kind: Kind, path: str) -> InvalidValue:
    expected = f"{kind.name} of a depth that can be read"
    return InvalidValue(path=path or kind.name, received="something nested too deep", expected=expected)


def decode_fields(
    data: bytes | msgspec.Raw,
    kinds: Mapping[str, Kind],
    *,
    context: Any = None,
    sender: Manifest | None = None,
    path: str = "",
) -> dict[str, Any]:
    """A map of named values, each of its kind; names that the sender left out are left out.

    Raises UnknownField for a name that has no kind, and what decode raises.
    """
    try:
        raw = _fields.decode(data)
    except (*UNREADABLE, ValueError) as wrong:
        raise MalformedMessage(sender="a peer", reason=f"{path}: {str(wrong) or type(wrong).__name__}") from None
    for name in raw:
        if name not in kinds:
            raise UnknownField(object=path, field=name, known=", ".join(kinds) or "none")
    return {
        name: decode(part, kinds[name], context=context, sender=sender, path=f"{path}({name})" if path else name)
        for name, part in raw.items()
    }


def from_json(wire: Mapping[str, Any], cls: type[V], *, context: Any = None) -> V:
    """The inverse of to_json, from any version up to our own; the object is clean. Raises InvalidValue, NotReadable."""
    kind = kind_of_class(cls)
    try:
        obj: V = kind.build(wire, kind.name, None)
        tracking.adopt(obj, kind, context)
    except RecursionError:
        raise _too_deep(kind, kind.name) from None
    return obj


def apply(target: VersionedObject, fresh: VersionedObject) -> None:
    """Give ``target`` everything that ``fresh``, another object of its class, holds, with its state of changes."""
    for name, slot in fresh.__shape__.slots.items():
        if fresh.is_set(name):
            slot.put(target, slot.get(fresh))
    for beside in ("_changed", "_snapshots"):
        assign(target, beside, getattr(fresh, beside))
    if fresh._riding is not msgspec.UNSET:
        assign(target, "_riding", fresh._riding)
    forget_changes(target)
    tracking.adopt_object(target, target._context)


def clone(obj: V) -> V:
    """A copy that shares nothing with the original, with its context and its changes."""
    tracking.fold(obj)
    twin: V = obj.__shape__.copied(obj)
    return twin
