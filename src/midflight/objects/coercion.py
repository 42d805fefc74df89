"""From what people and peers write to what they mean: one conversion for each plain type.

``"1"`` becomes 1 where an int is wanted, ``"False"`` is not true, and a naive time is refused, since it says not when.
"""

from __future__ import annotations

import enum
import ipaddress
import math
import socket
import typing
import uuid
from abc import ABC
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path, PurePath
from typing import Any, ClassVar

import msgspec

from midflight.errors import InvalidValue
from midflight.objects.types import Codec, MacAddress, Text, Url, codec_of

_TRUE = {"true", "yes", "on", "1", "t", "y"}
_FALSE = {"false", "no", "off", "0", "f", "n"}
_INTEGERS = range(-(2**63), 2**64)
"""What MessagePack can carry."""
_UNFIT = (TypeError, ValueError, AttributeError, InvalidOperation, OverflowError)
"""What conversions raise for a value that does not fit."""


class Refused(ValueError):
    """A value does not fit; ``trail`` grows on the way up to where it was found."""

    def __init__(self, value: object, expected: str, trail: str = "") -> None:
        super().__init__(expected)
        self.value, self.expected, self.trail = value, expected, trail

    def under(self, step: str) -> Refused:
        """The same, one step further up."""
        return Refused(self.value, self.expected, step + self.trail)

    def at(self, path: str) -> InvalidValue:
        """The error that a user sees."""
        return InvalidValue(path=f"{path}{self.trail}", received=_shown(self.value), expected=self.expected)


_LONGEST = 80


def _shown(value: object) -> str:
    """The value, shortened; of containers only the size, since who knows what is inside may be sensitive."""
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return f"{type(value).__name__} of {len(value)}"
    return f"{_repr(value)} ({type(value).__name__})"


def step(key: object) -> str:
    """The step of a path into a dict: ``['name']``. A peer chooses its keys, so it is bounded."""
    return f"[{_repr(key)}]"


def _repr(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # of what is nested too deep, or a number of too many digits
        return "…"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "…"


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    word = str(value).strip().lower() if isinstance(value, str) or (isinstance(value, int) and value in (0, 1)) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Refused(value, "bool (true, false, yes, no, on, off, 1 or 0)")


def _int(value: Any) -> int:
    if type(value) is int and -(2**63) <= value < 2**63:  # the rest is rare
        return value
    if type(value) is not int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise Refused(value, "int")
        try:
            value = int(value)
        except (TypeError, ValueError, OverflowError):
            raise Refused(value, "int") from None
    number: int = value
    if number not in _INTEGERS:
        raise Refused(value, "int of at most 64 bits")
    return number


def _float(value: Any) -> float:
    """Infinities are numbers; NaN is none: it differs from itself, so nobody could tell whether it has changed."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Refused(value, "float") from None
    if math.isnan(number):
        raise Refused(value, "float that is a number")
    return number


def _decimal(value: Any) -> Decimal:
    """Exactly the digits that were written; a float stands for its shortest spelling."""
    number = value if type(value) is Decimal else Decimal(str(value))
    if number.is_nan():
        raise ValueError
    return number


def _str(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | uuid.UUID):
        raise Refused(value, "str")
    return value.value if isinstance(value, enum.Enum) else str(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise Refused(value, "bytes")


def _datetime(value: Any) -> datetime:
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Refused(value, "datetime with a time zone, or its ISO 8601 text") from None
    if when.tzinfo is UTC:
        return when
    if when.tzinfo is None or when.utcoffset() is None:
        raise Refused(value, "datetime with a time zone: a naive time says not when")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise Refused(value, "datetime whose UTC lies in the years 1 to 9999") from None


def _parsed(type_: Any, parse: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if type(value) is type_:
            return value
        try:
            return parse(value)
        except _UNFIT:
            raise Refused(value, expected) from None

    return convert


def _written(parse: Callable[[Any], Any], expected: str) -> Callable[[Any], Any]:
    """The conversion by a function that also looks at values of the type."""

    def convert(value: Any) -> Any:
        try:
            return parse(value)
        except (*_UNFIT, LookupError):
            raise Refused(value, expected) from None

    return convert


def _uuid(value: Any) -> uuid.UUID:
    """msgspec is quicker than UUID itself, and reads fewer spellings."""
    try:
        return msgspec.convert(value, uuid.UUID)
    except msgspec.ValidationError:
        return uuid.UUID(value)


def _iso(type_: Any) -> Callable[[Any], Any]:
    return lambda value: type_.fromisoformat(value)


def _from_str(type_: Any, *others: type) -> Callable[[Any], Any]:
    """The conversion of a type that is written as text, and also made from ``others``."""

    def parse(value: Any) -> Any:
        if not isinstance(value, (str, *others)):
            raise TypeError
        return type_(value)

    return _parsed(type_, parse, type_.__name__)


def _duration(value: Any) -> timedelta:
    return timedelta(seconds=float(value)) if isinstance(value, int | float) else msgspec.convert(value, timedelta)


def _none(value: Any) -> None:
    if value is not None:
        raise Refused(value, "None")


Conversion = Callable[[Any], Any]
"""From any value to one of the type. Raises Refused."""

CONVERSIONS: dict[Any, Conversion] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    datetime: _datetime,
    date: _parsed(date, _iso(date), "date or its ISO 8601 text"),
    time: _parsed(time, _iso(time), "time or its ISO 8601 text"),
    timedelta: _parsed(timedelta, _duration, "timedelta, its ISO 8601 text or seconds"),
    Decimal: _written(_decimal, "Decimal that is a number"),
    uuid.UUID: _parsed(uuid.UUID, _uuid, "UUID"),
    type(None): _none,
}
_AS_TEXT = (
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
    ipaddress.IPv4Interface, ipaddress.IPv6Interface, MacAddress, Url,
)  # fmt: skip
"""Types that msgspec does not know: they travel as text."""
CONVERSIONS |= {type_: _from_str(type_) for type_ in _AS_TEXT} | {Path: _from_str(Path, PurePath)}


class Hooked(ABC):
    """Stands in for types in what msgspec decodes as; those that it decodes to are registered as its subclasses.

    msgspec allows one type in a union that it does not know itself. So ``IPv4Address | IPv6Address`` is decoded as one
    such class, whose ``read`` makes either.
    """

    read: ClassVar[Conversion]


def hooked(name: str, read: Conversion, types_: tuple[type, ...]) -> type[Hooked]:
    """Raises Refused from ``read`` alone."""
    made = typing.cast(type[Hooked], type(name, (Hooked,), {"read": staticmethod(read)}))
    for type_ in types_:
        made.register(type_)
    return made


class _AnyText(type):
    """msgspec asks it whether what ``read`` returned is what was wanted: anything is, for any class is true, and this
    takes no call of Python's."""

    __instancecheck__ = type  # type: ignore[assignment]  # called with the value alone


def late_type(name: str, read: Conversion) -> type:
    """Stands in for a type in what msgspec decodes as, where ``read`` may return the text as it is."""
    return _AnyText(name, (), {"read": staticmethod(read)})


CHECKS: dict[Any, Callable[[str], object]] = {
    ipaddress.IPv4Address: partial(socket.inet_pton, socket.AF_INET),
    ipaddress.IPv6Address: partial(socket.inet_pton, socket.AF_INET6),
}
"""Types whose values cost far more to make than to check: functions that raise OSError or ValueError for wrong text.
What they accept, the type accepts too; it may accept more."""


def to_either(types_: tuple[Any, ...], name: str) -> Conversion:
    """The conversion of a union of types that are written so that no text fits two of them."""
    conversions = [CONVERSIONS[type_] for type_ in types_]

    def convert(value: Any) -> Any:
        for conversion in conversions:
            try:
                return conversion(value)
            except Refused:
                continue
        raise Refused(value, name)

    return convert


def to_enum(type_: Any) -> Conversion:
    """The conversion of an Enum: from its members or their values, numbers also in their text."""
    texts = {str(member.value): member for member in type_ if isinstance(member.value, int)}
    texts |= {member.value: member for member in type_ if type(member.value) is str}

    def parse(value: Any) -> Any:
        return texts[value] if type(value) is str and value in texts else type_(value)

    return _parsed(type_, parse, f"one of {', '.join(repr(member.value) for member in type_)}")


def by_codec(codec: Codec, name: str) -> tuple[Conversion, Conversion]:
    """How a type of the project's own is coerced, and how it is read from its wire form."""
    return _written(codec.coerce, name), _written(codec.decode, f"the wire form of {name}")


def to_literal(annotation: Any) -> Conversion:
    """The conversion of a Literal: only what it lists."""
    allowed = typing.get_args(annotation)

    def convert(value: Any) -> Any:
        for member in allowed:
            if value == member and isinstance(value, type(member)) and not isinstance(value, bool):
                return member
        raise Refused(value, f"one of {', '.join(map(repr, allowed))}")

    return convert


def from_text(type_: Any, text: Any) -> Any:
    """msgspec's hook to decode the types that it does not know."""
    return (getattr(type_, "read", None) or CONVERSIONS[type_])(text)


def to_builtins(value: Any) -> Any:
    """A value as it is said, apart from versioned objects."""
    return msgspec.to_builtins(value, str_keys=False, enc_hook=to_text)


def to_text(value: Any) -> Any:
    """The inverse of from_text. Raises TypeError for what cannot travel."""
    if isinstance(value, (Text, PurePath, *_AS_TEXT)):
        return str(value)
    if codec := codec_of(type(value)):
        return codec.encode(value)
    raise TypeError(f"{type(value).__name__} cannot travel")
