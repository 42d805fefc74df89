"""Forms of older versions that only leave fields out: made at first need, and encoded natively.

Most of what travels down is of this kind. Where there is more to be done (a named backport, a tombstone to fill in, a
change that could get lost), the object is taken apart instead: see ``lowering``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from midflight import telemetry
from midflight.errors import CannotBackport
from midflight.objects import codegen
from midflight.objects.codegen import Road
from midflight.objects.coercion import to_text
from midflight.objects.marks import of_fields
from midflight.objects.rewrites import CHANGED, TAG
from midflight.objects.shape import Shape
from midflight.objects.types import CODECS, codec_of
from midflight.versions import Manifest, Version

_encode = msgspec.msgpack.Encoder(enc_hook=to_text).encode


class _TakeApart(Exception):
    """There is more to be done than to leave fields out."""


class Form:
    """What complete objects of one class become in another version."""

    def __init__(self, shape: Shape, target: Version) -> None:
        self.fields = [name for name, field in shape.fields.items() if field.exists_in(target)]
        self.is_older = target < shape.version
        """Else only objects inside it are."""
        self.make: Any = msgspec.defstruct(
            shape.name, [*((name, Any) for name in self.fields), ("_changed", Any)],
            tag=f"{shape.name}:{target}", tag_field=TAG, rename={"_changed": CHANGED},
        )  # fmt: skip
        self._labels = {"object": shape.name, "from_version": str(shape.version), "to_version": str(target)}
        self._counters: dict[tuple[str, str], Callable[[int], None]] = {}

    def count(self, number: int, where: str, peer: str) -> None:
        """So many objects became older."""
        counter = self._counters.get((where, peer))
        if counter is None:
            counter = telemetry.counter("objects.backport", **self._labels, where=where, peer=peer)
            self._counters[where, peer] = counter
        counter(number)


Made = dict[Form, int]
"""How many objects became older in one encoding."""


def _as_it_is(obj: Any, made: Made, is_reply: bool) -> Any:
    return obj


def _taken_apart(obj: Any, made: Made, is_reply: bool) -> NoReturn:
    raise _TakeApart


class Roads(dict[type, Road]):
    """How objects go to a peer with one manifest, by their class. A road raises _TakeApart, and AttributeError for an
    unset field."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __missing__(self, cls: Any) -> Road:
        road = self[cls] = self._found(cls) if hasattr(cls, "__shape__") else _as_it_is  # None, where that is allowed
        return road

    def _found(self, cls: Any) -> Road:
        shape: Shape = cls.__shape__
        if not shape.is_plain:
            return _taken_apart
        if shape.same_under(self._manifest):
            return _as_it_is
        form = _form(shape, self._manifest) if cls is shape.cls else None
        return _taken_apart if form is None else _compiled(shape, form, self)


_ROADS: dict[str, Roads] = {}
"""By the digest of the manifest."""


def _roads_to(manifest: Manifest) -> Roads:
    return _ROADS.get(manifest.digest) or _ROADS.setdefault(manifest.digest, Roads(manifest))


def goes_as_it_is(obj: Any, manifest: Manifest) -> bool:
    """Whether a peer with this manifest understands the object, with all inside, in our own versions."""
    return _roads_to(manifest)[type(obj)] is _as_it_is


def _form(shape: Shape, manifest: Manifest) -> Form | None:
    try:
        target = shape.target(manifest, "")
    except CannotBackport:
        return None
    rewritten = any(target < before for before, _ in shape.backports)
    filled_in = any(field.exists_in(target) for field in shape.tombstones.values())
    return None if rewritten or filled_in else Form(shape, target)


def _compiled(shape: Shape, form: Form, roads: Roads) -> Road:
    def known(obj: Any, is_reply: bool) -> set[str]:
        """The changes of a reply. Elsewhere each has to be looked at: one that is left out would be lost."""
        if obj._riding is not msgspec.UNSET or not is_reply:
            raise _TakeApart
        return of_fields(obj._changed, form.fields)

    return codegen.road(shape, form, form.fields, form.make, roads, known, count=form.is_older)


def encode_older(value: Any, manifest: Manifest, where: str, peer: str, *, is_reply: bool) -> bytes | None:
    """The bytes of a value in the versions of a peer, where these only leave fields out; None where there is more to be
    done. A reply says what is, not what to save. What became older is counted."""
    made: Made = {}
    try:
        data = _encode(_mapped(value, _roads_to(manifest), made, is_reply))
    except (_TakeApart, AttributeError):  # or a field is unset
        return None
    for form, number in made.items():
        form.count(number, where, peer)
    return data


def _mapped(value: Any, roads: Roads, made: Made, is_reply: bool) -> Any:
    """The value with the older form of each object; to be encoded natively."""
    if hasattr(value, "__shape__"):
        return roads[type(value)](value, made, is_reply)
    if isinstance(value, dict):
        return {key: _mapped(item, roads, made, is_reply) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mapped(item, roads, made, is_reply) for item in value]
    if CODECS and codec_of(type(value)):
        raise _TakeApart
    return value
