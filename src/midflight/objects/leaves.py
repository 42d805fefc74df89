"""What a kind is, and the kinds without parts, or round one other kind.

A *kind* is a type, compiled once from an annotation. It coerces values, knows the type by which msgspec decodes it
natively and how to read the wire form of another version, and can copy what may change in place, and keep and compare a
snapshot of it.
"""

from __future__ import annotations

import base64
import enum
import operator
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sized
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin

import msgspec

from midflight.objects.coercion import Refused, by_codec, from_text, hooked, late_type, to_enum
from midflight.objects.parts import PART, UNREADABLE, Bytes, tree
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
    plain = True
    """Whether msgspec's encoder says it as it should be said; else objects that hold it are taken apart first."""

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
        if len(data) > PART:
            return self.read_large(data, path, sender)
        try:
            return self.decoder.decode(data)
        except (*UNREADABLE, ValueError):
            return self.build(tree(data, path), path, sender)

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        """The same for what is too large to be read at once; each container reads its parts."""
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


class _Round(Kind):
    """A kind round one other, which does the work."""

    def __init__(self, base: Kind) -> None:
        self.base = base
        self.mutable, self.objects, self.plain = base.mutable, base.objects, base.plain

    def snapshot(self, value: Any) -> Any:
        return self.base.snapshot(value)

    def differs(self, value: Any, snapshot: Any) -> bool:
        return self.base.differs(value, snapshot)

    def copied(self, value: Any) -> Any:
        return self.base.copied(value)

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return self.base.mapped(value, change)

    def inside(self, value: Any) -> Iterable[Any]:
        return self.base.inside(value)


class Constrained(_Round):
    """A kind with msgspec's Meta on it: bounds, lengths, patterns."""

    def __init__(self, base: Kind, metas: tuple[Any, ...]) -> None:
        super().__init__(base)
        self.metas, self.name = metas, f"{base.name} {metas}"
        self.wire_type: Any = Annotated[(_without_clash(base.wire_type, metas), *metas)]
        self._by_hand = isinstance(base, Leaf) and not _is_known_to_msgspec(self.wire_type)
        if self._by_hand:
            self.wire_type = hooked(base.name, self.convert, (base.type,))  # type: ignore[attr-defined]  # of a Leaf

    def convert(self, value: Any) -> Any:
        return self._checked(self.base.convert(value))

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        try:
            return self._checked(self.base.build(wire, path, sender))
        except Refused as refused:
            raise refused.at(path) from None

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        try:
            return self._checked(self.base.read_large(data, path, sender))
        except Refused as refused:
            raise refused.at(path) from None

    def _checked(self, value: Any) -> Any:
        if isinstance(value, list | tuple | set | frozenset | dict):
            self._check_length(value)
            return value
        if self._by_hand:
            self._check_bounds(value)
            return value
        try:
            return msgspec.convert(value, self.wire_type, builtin_types=(bytes, datetime, uuid.UUID, Decimal))
        except msgspec.ValidationError as wrong:
            raise Refused(value, str(wrong).removeprefix("Expected ")) from None

    def _check_bounds(self, value: Any) -> None:
        """As msgspec bounds numbers and text, for types that it does not bound: Decimal, and kinds of text."""
        for meta in self.metas:
            for name, fits in _BOUNDS.items():
                bound = getattr(meta, name)
                try:
                    wrong = bound is not None and not fits(value, bound)
                except TypeError:
                    raise Refused(value, f"a value that {name} {bound!r} can be asked of") from None
                if wrong:
                    raise Refused(value, f"{name} {bound!r}")

    def _check_length(self, value: Sized) -> None:
        for meta in self.metas:
            least, most = getattr(meta, "min_length", None), getattr(meta, "max_length", None)
            if least is not None and len(value) < least:
                raise Refused(value, f"at least {least} elements")
            if most is not None and len(value) > most:
                raise Refused(value, f"at most {most} elements")


_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "multiple_of": lambda value, step: value % step == 0,
    "min_length": lambda value, length: len(value) >= length,
    "max_length": lambda value, length: len(value) <= length,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
}


def _is_known_to_msgspec(wire_type: Any) -> bool:
    try:
        msgspec.msgpack.Decoder(wire_type)
    except TypeError:
        return False
    return True


_SIDES = (("ge", "gt"), ("le", "lt"), ("tz",))


def _without_clash(wire_type: Any, metas: tuple[Any, ...]) -> Any:
    """msgspec refuses two Metas that bound the same side; ours on times and floats give way to the user's."""
    if get_origin(wire_type) is not Annotated:
        return wire_type
    plain, *ours = get_args(wire_type)
    clash = any(_bounds(ours, side) and _bounds(metas, side) for side in _SIDES)
    return plain if clash else wire_type


def _bounds(metas: Iterable[Any], side: tuple[str, ...]) -> bool:
    return any(getattr(meta, name, None) is not None for meta in metas for name in side)


def _or_text(convert: Callable[[Any], Any], check: Callable[[str], object]) -> Callable[[Any], Any]:
    def text_or_value(value: Any) -> Any:
        if type(value) is str:
            try:
                check(value)
            except (OSError, ValueError):
                return convert(value)  # text that the check does not know; or the error in our words
            return value
        return convert(value)

    return text_or_value


def _or_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


class Late(_Round):
    """A field's kind whose values are costly to make: they lie there as their text, checked, until one is read."""

    def __init__(self, base: Kind, check: Callable[[str], object]) -> None:
        super().__init__(base)
        self.name = base.name
        self.convert = _or_text(base.convert, check)  # type: ignore[method-assign, assignment]  # as in Leaf
        self.wire_type = late_type(base.name, self.convert)

    def made(self, value: Any) -> Any:
        """The value, from its text where it is still that."""
        return self.base.convert(value)


class Optional(_Round):
    """A kind or None."""

    def __init__(self, base: Kind) -> None:
        super().__init__(base)
        self.wire_type, self.name = base.wire_type | None, f"{base.name} | None"
        self.convert = _or_none(base.convert)  # type: ignore[method-assign, assignment]  # as in Leaf

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        return None if wire is None else self.base.build(wire, path, sender)

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        return self.base.read_large(data, path, sender)  # None is small

    def snapshot(self, value: Any) -> Any:
        return None if value is None else self.base.snapshot(value)

    def differs(self, value: Any, snapshot: Any) -> bool:
        if value is None or snapshot is None:
            return value is not snapshot
        return self.base.differs(value, snapshot)

    def copied(self, value: Any) -> Any:
        return None if value is None else self.base.copied(value)

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return None if value is None else self.base.mapped(value, change)

    def inside(self, value: Any) -> Iterable[Any]:
        return () if value is None else self.base.inside(value)
