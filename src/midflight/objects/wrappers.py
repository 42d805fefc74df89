"""Kinds round one other kind: it or None, with constraints, or made only when somebody reads it."""

from __future__ import annotations

import operator
import re
import uuid
from collections.abc import Callable, Iterable, Sized
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin

import msgspec

from midflight.objects.coercion import Refused, hooked, late_type
from midflight.objects.leaves import Kind, Leaf
from midflight.objects.piecewise import Bytes
from midflight.versions import Manifest


class _Round(Kind):
    """A kind round one other, which does the work."""

    def __init__(self, base: Kind) -> None:
        self.base = base
        self.mutable, self.objects, self.plain = base.mutable, base.objects, base.plain
        self.own_keys, self.is_list_of_objects = base.own_keys, base.is_list_of_objects

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
