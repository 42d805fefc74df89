"""Every type that a field can have: coerced, sent exactly, refused by name."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from midflight.errors import InvalidValue, ProjectError
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.objects.types import Codec, MacAddress, Url
from midflight.versions import Manifest, Version


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass(frozen=True)
class Money:
    cents: int
    currency: str


class Version3:
    """An own type that msgspec knows nothing of."""

    def __init__(self, text: str) -> None:
        self.parts = tuple(map(int, text.split(".")))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version3) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))


def money(value: Any) -> Money:
    return value if isinstance(value, Money) else Money(int(value), "EUR")


Price = Annotated[Money, Codec(money, lambda m: [m.cents, m.currency], lambda wire: Money(*wire))]
Triple = Annotated[Version3, Codec(lambda v: v if isinstance(v, Version3) else Version3(v), str, Version3)]
V46 = IPv4Address | IPv6Address

CASES: list[tuple[Any, Any, Any]] = [
    (MacAddress, "52-54-00-AB-CD-EF", MacAddress("52:54:00:ab:cd:ef")),
    (Url, "HTTP://Example.org:80/A?b=C", Url("http://example.org:80/A?b=C")),
    (Path, "/var/lib", Path("/var/lib")),
    (IPv4Interface, "10.0.0.1/24", IPv4Interface("10.0.0.1/24")),
    (IPv6Interface, "fe80::1/64", IPv6Interface("fe80::1/64")),
    (IPv4Network, "10.0.0.0/24", IPv4Network("10.0.0.0/24")),
    (IPv6Network, "fe80::/64", IPv6Network("fe80::/64")),
    (V46, "10.0.0.1", IPv4Address("10.0.0.1")),
    (V46 | None, "fe80::1", IPv6Address("fe80::1")),
    (V46 | None, None, None),
    (list[V46], ["::1", "10.0.0.1"], [IPv6Address("::1"), IPv4Address("10.0.0.1")]),
    (IPv4Network | IPv6Network, "::/0", IPv6Network("::/0")),
    (Literal["a", "b", 3, None], "a", "a"),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 0.1, Decimal("0.1")),
    (Decimal, "123456789012345678901234567890.123", Decimal("123456789012345678901234567890.123")),
    (float, "inf", float("inf")),
    (float, 3, 3.0),
    (timedelta, 1.5, timedelta(seconds=1.5)),
    (date, "2026-01-02", date(2026, 1, 2)),
    (time, "10:11:12.000013", time(10, 11, 12, 13)),
    (datetime, "2026-01-02T03:04:05.000006+02:00", datetime(2026, 1, 2, 1, 4, 5, 6, tzinfo=UTC)),
    (bytes, b"\x00\xff", b"\x00\xff"),
    (set[str], ["b", "a", "b"], {"a", "b"}),
    (frozenset[UUID], [str(UUID(int=1))], frozenset({UUID(int=1)})),
    (set[frozenset[int]], [[1, 2], [2, 1]], {frozenset({1, 2})}),
    (list[set[Size]], [[1], [2, 1]], [{Size.SMALL}, {Size.SMALL, Size.LARGE}]),
    (set[tuple[str, int]], [["a", "1"]], {("a", 1)}),
    (tuple[int, list[str]], ["1", ["a"]], (1, ["a"])),
    (tuple[V46, ...], ["::1"], (IPv6Address("::1"),)),
    (dict[int, str], {"1": "a", 2: "b"}, {1: "a", 2: "b"}),
    (dict[UUID, list[int]], {str(UUID(int=1)): ["1"]}, {UUID(int=1): [1]}),
    (dict[Size, int], {1: 1}, {Size.SMALL: 1}),
    (dict[IPv4Address, MacAddress], {"10.0.0.1": "525400abcdef"}, {IPv4Address("10.0.0.1"): "52:54:00:ab:cd:ef"}),
    (dict[MacAddress, bool], {"525400abcdef": "yes"}, {MacAddress("525400abcdef"): True}),
    (Price, 5, Money(5, "EUR")),
    (list[Price] | None, [5, Money(6, "CHF")], [Money(5, "EUR"), Money(6, "CHF")]),
    (dict[str, Triple], {"a": "1.2.3"}, {"a": Version3("1.2.3")}),
]  # fmt: skip


def holder(type_: Any) -> Any:
    """A class with one field of the type."""

    class Holder(VersionedObject, version="1.1"):
        value: type_
        note: str = field(default="", since="1.1")

    Registry([Holder])
    return Holder


@pytest.mark.parametrize(("type_", "given", "meant"), CASES)
def test_a_value_is_coerced_and_sent_exactly_natively_and_apart(type_: Any, given: Any, meant: Any) -> None:
    """On the native road, through an older form, at rest as real JSON, and as a change that is seen."""
    cls = holder(type_)
    kind = Registry([cls]).kind(cls)
    made = cls(value=given)
    assert made.value == meant
    assert type(made.value) is type(meant)
    made.reset_changes()
    older = msgspec.msgpack.encode({"$": "Holder:1.0", **msgspec.msgpack.decode(wire.encode({"value": made.value}))})
    resting = json.loads(json.dumps(wire.to_json(made)))
    for back in (wire.decode(wire.encode(made), kind), wire.decode(older, kind), wire.from_json(resting, cls)):
        assert (back, back.changes()) == (made, {})
        assert type(back.value) is type(meant)
    assert wire.clone(made) == made


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (MacAddress, "52:54:00:ab:cd"), (MacAddress, 5), (Url, "example.org"), (Url, "http://"), (Url, "http://a b/"),
        (Url, "http://a:b/"), (Path, 3), (IPv4Network, "10.0.0.1/24"), (V46, "10.0.0"), (V46, None), (V46, 7),
        (Literal["a", 1], True), (Literal["a", 1], "b"), (Literal["a"], []), (float, "nan"), (float, float("nan")),
        (Decimal, "NaN"), (Decimal, Decimal("NaN")), (Decimal, "x"), (Price, "x"), (dict[int, str], {"x": "a"}),
        (dict[UUID, str], {"x": "a"}), (set[int], ["x"]), (tuple[int, str], [1]), (tuple[int, str], ["x", "y"]),
        (Size, 7), (Triple, None),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(type_: Any, value: Any) -> None:
    """At construction, and when it arrives."""
    cls = holder(type_)
    with pytest.raises(InvalidValue, match=r"^Holder\.value.*: received .*, expected "):
        cls(value=value)
    plain = str(value) if isinstance(value, Decimal) else value
    with pytest.raises(InvalidValue, match=r"^Holder\.value.*: received .*, expected "):
        wire.decode(
            msgspec.msgpack.encode({"$": "Holder:1.0", "value": plain}), Registry([cls]).kind(cls), path="Holder"
        )


@pytest.mark.parametrize(
    "type_",
    [set[list[int]], dict[list[int], int], int | str, IPv4Address | IPv4Network, Literal[True], set[dict[str, int]]],
)
def test_a_type_that_would_be_ambiguous_is_refused_at_definition(type_: Any) -> None:
    """The error names the field."""
    with pytest.raises(ProjectError, match="Holder.value: "):
        holder(type_)


def test_a_type_has_one_codec() -> None:
    """Two would make what is said depend on who says it."""
    with pytest.raises(ProjectError, match="Holder.value: Money has another Codec elsewhere: name it once, share it"):
        holder(Annotated[Money, Codec(money, str, money)])


def test_an_own_type_is_said_by_its_codec_outside_of_objects_too() -> None:
    """Arguments and results travel beside objects."""
    holder(Price)
    assert msgspec.msgpack.decode(wire.encode({"price": Money(1, "EUR"), "more": [Money(2, "EUR")]})) == {
        "price": [1, "EUR"], "more": [[2, "EUR"]],
    }  # fmt: skip


def test_an_enum_of_objects_stays_strict_without_a_fallback() -> None:
    """A member that we do not know is refused with its path."""

    class Colour(Enum):
        RED = "red"

    cls = holder(list[Colour])
    with pytest.raises(InvalidValue, match=r"Holder.value\[1\]: received 'blue' \(str\), expected one of 'red'"):
        wire.from_json({"$": "Holder:1.1", "value": ["red", "blue"], "note": ""}, cls)


BOUNDED: list[tuple[Any, Any, Any]] = [
    (Annotated[Decimal, Meta(ge=0, lt=10)], "9.99", "10"),
    (Annotated[Decimal, Meta(multiple_of=5)], "10", "7"),
    (Annotated[Url, Meta(max_length=20, pattern="^https:")], "https://a.example/", "http://a.example/"),
    (Annotated[MacAddress, Meta(pattern="^52")], "525400abcdef", "002400abcdef"),
    (list[Annotated[Decimal, Meta(ge=0)]], ["1"], ["-1"]),
]


@pytest.mark.parametrize(("type_", "fits", "wrong"), BOUNDED)
def test_types_that_msgspec_does_not_bound_have_bounds_too(type_: Any, fits: Any, wrong: Any) -> None:
    """Assigned, and when it arrives."""
    cls = holder(type_)
    made = cls(value=fits)
    kind = Registry([cls]).kind(cls)
    assert wire.decode(wire.encode(made), kind) == made
    with pytest.raises(InvalidValue, match=r"^Holder\.value"):
        made.value = wrong
    with pytest.raises(InvalidValue, match=r"^Holder\.value"):
        wire.from_json({"$": "Holder:1.1", "note": "", "value": wrong}, cls)


def test_a_bound_is_told_in_one_sentence() -> None:
    """And not as "expected Expected"."""
    with pytest.raises(InvalidValue) as caught:
        holder(Annotated[int, Meta(ge=1)])(value=0)
    assert str(caught.value) == "Holder.value: received 0 (int), expected `int` >= 1."


def test_a_bound_that_cannot_be_asked_of_a_value_is_an_error_of_the_field() -> None:
    """Not of Python."""
    with pytest.raises(InvalidValue, match="Holder.value.*expected a value that max_length 3 can be asked of"):
        holder(Annotated[Decimal, Meta(max_length=3)])(value=1)


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        (Annotated[int | None, msgspec.Meta(ge=0)], [0, None], -1),
        (Annotated[float, msgspec.Meta(gt=0)], [0.5], 0.0),
        (Annotated[float, msgspec.Meta(lt=1, ge=0)], [0.0, 0.5], 1.0),
    ],
)
def test_constraints_hold_on_either_side_and_beside_none(type_: Any, good: list[Any], bad: Any) -> None:
    """At construction and on arrival; None has no bounds."""
    cls = holder(type_)
    kind = Registry([cls]).kind(cls)
    for value in good:
        assert wire.decode(wire.encode(cls(value=value)), kind).value == value
    with pytest.raises(InvalidValue, match="Holder.value"):
        cls(value=bad)
    with pytest.raises(InvalidValue, match="Holder.value"):
        wire.decode(msgspec.msgpack.encode({"$": "Holder:1.0", "value": bad}), kind, path="Holder")


def test_a_dict_by_tuples_is_taken_apart() -> None:
    """A key stays one that can be a key, for an older peer too."""
    cls = holder(dict[tuple[str, int], int])
    made = cls(value={("a", 1): 2})
    back = wire.decode(wire.encode(made, Manifest({"Holder": Version(1, 0)})), Registry([cls]).kind(cls))
    assert back.value == {("a", 1): 2}
