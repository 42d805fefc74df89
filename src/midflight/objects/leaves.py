"""What a kind is, and the kinds without parts.

A *kind* is a type, compiled once from an annotation. It coerces values, knows the type by which msgspec decodes it
natively and how to read the wire form of another version, and can copy what may change in place, and keep and compare a
snapshot of it.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from midflight.objects.coercion import Refused, by_codec, from_text, hooked, late_type, to_enum
from midflight.objects.marks import alike
from midflight.objects.piecewise import AT_ONCE, UNREADABLE, Bytes, tree
from midflight.objects.types import Codec
from midflight.versions import Manifest


class Kind:
    """A compiled type. ``name`` is how it reads; ``wire_type`` is what msgspec decodes it as."""

    name: str
    wire_type: Any
    mutable = False
    """Whether a value of it can change without an assignment, so that changes must be looked for."""
    objects: tuple[Any, ...] = ()
    """The classes of versioned objects directly inside."""
    is_object = False
    """Whether it is a versioned object itself, and nothing round it."""
    is_list_of_objects = False
    """Whether it is a list of those, or None."""
    plain = True
    """Whether msgspec's encoder says it as it should be said; else objects that hold it are taken apart first."""
    own_keys = False
    """Whether a dict inside has keys of a type that msgspec does not know: ``msgspec.convert`` (0.22) checks these, and
    leaves them as the text that they came as."""

    def convert(self, value: Any) -> Any:
        """The value as this type. Raises Refused."""
        raise NotImplementedError

    def coerce(self, value: Any, path: str) -> Any:
        """The value as this type. Raises InvalidValue that names ``path`` and the step inside it."""
        try:
            return self.convert(value)
        except Refused as refused:
            raise refused.at(path) from None

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        """Read a decoded wire form of any version; the slow road, when the native decoder refused it."""
        return self.coerce(wire, path)

    def read(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        """The value in these bytes, whatever version its objects were sent in. Raises InvalidValue that names ``path``
        and the step inside it, NotReadable, and MalformedMessage."""
        if len(data) > AT_ONCE:
            return self.read_large(data, path, sender)
        try:
            return self.decoder.decode(data)
        except (*UNREADABLE, ValueError):
            return self.build(tree(data, path), path, sender)

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        """The same for what is too large to be read at once; each container reads its pieces."""
        return self.build(tree(data, path), path, sender)

    def snapshot(self, value: Any) -> Any:
        """A copy to compare with later; only of mutable kinds."""
        return value

    def differs(self, value: Any, snapshot: Any) -> bool:
        """Whether a mutable value has changed since its snapshot."""
        return bool(value != snapshot)

    def copied(self, value: Any) -> Any:
        """A copy that shares nothing that could change."""
        return value

    def copied_each(self, values: Iterable[Any]) -> list[Any]:
        """Copies of many."""
        return [*map(self.copied, values)]

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        """The value with every versioned object inside changed to something else; sets and tuples become lists."""
        return value

    def inside(self, value: Any) -> Iterable[Any]:
        """The versioned objects directly inside a value."""
        return ()

    @cached_property
    def decoder(self) -> msgspec.msgpack.Decoder[Any]:
        """Decodes this kind natively, in the versions of this process."""
        return msgspec.msgpack.Decoder(self.wire_type, dec_hook=from_text)

    def __repr__(self) -> str:
        return f"<Kind {self.name}>"


class Leaf(Kind):
    """A type without parts."""

    def __init__(self, type_: Any, convert: Callable[[Any], Any], name: str, wire_type: Any = None) -> None:
        self.name, self.type, self.wire_type = name, type_, type_ if wire_type is None else wire_type
        self.convert = convert  # type: ignore[method-assign, assignment]  # one call less on the hottest path


class Binary(Leaf):
    """Bytes; in JSON, which has none, they are Base64 text. Text that is assigned is not taken for that."""

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        if not isinstance(wire, str):
            return self.coerce(wire, path)
        try:
            return base64.b64decode(wire, validate=True)
        except ValueError:
            raise Refused(wire, "bytes, or their Base64 text").at(path) from None


class Growing(Leaf):
    """An Enum that may have grown where a value comes from: what we do not know yet is read as its fallback.

    An assignment is no such place: a member that does not exist is refused there.
    """

    def __init__(self, fallback: enum.Enum) -> None:
        type_ = type(fallback)
        super().__init__(type_, to_enum(type_), type_.__name__)
        self.fallback, self._values = fallback, tuple({type(member.value) for member in type_})

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        try:
            return self.convert(wire)
        except Refused as refused:
            if isinstance(wire, self._values):
                return self.fallback
            raise refused.at(path) from None


class Own(Kind):
    """A type of the project's own, with its Codec. ``plain`` where msgspec asks us how to say it."""

    def __init__(self, type_: type, codec: Codec) -> None:
        self.type, self.name, self.codec = type_, type_.__name__, codec
        self.convert, self._read = by_codec(codec, self.name)  # type: ignore[method-assign, assignment]  # as in Leaf
        self.wire_type: Any = hooked(self.name, self._read, (type_,))
        self.plain = isinstance(msgspec.inspect.type_info(type_), msgspec.inspect.CustomType)

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        try:
            return self._read(wire)
        except Refused as refused:
            raise refused.at(path) from None


class Anything(Kind):
    """Whatever is plain: None, truth values, numbers, text, bytes, times, and lists and dicts of these."""

    name, mutable = "Any", True

    def __init__(self) -> None:
        self.wire_type = late_type(self.name, self.convert)  # msgspec's own Any lets NaN through

    def convert(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self.convert(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(map(self.convert, value))
        if hasattr(type(value), "__shape__") or value != value:
            raise Refused(value, "plain values; a versioned object travels in a field of its own type")
        return value

    def copied(self, value: Any) -> Any:
        return self.convert(value)

    def snapshot(self, value: Any) -> Any:
        return self.convert(value)

    def differs(self, value: Any, snapshot: Any) -> bool:
        return not alike(value, snapshot)


class Unopened(Kind):
    """Bytes in a message that are passed on as they came: a msgspec.Raw."""

    name = "Raw"
    wire_type = msgspec.Raw

    def convert(self, value: Any) -> Any:
        if isinstance(value, msgspec.Raw):
            return value
        raise Refused(value, self.name)

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        return msgspec.Raw(msgspec.msgpack.encode(wire))

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        return self.decoder.decode(data)
