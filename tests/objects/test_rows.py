"""Rows become objects, and objects rows."""

import json
import operator
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from midflight.errors import InvalidValue, NotReadable, PinnedOut, UnknownField
from midflight.objects import rows
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.lists import ObjectList
from midflight.objects.registry import Registry
from midflight.objects.types import MacAddress
from midflight.objects.wire import from_row, from_rows, to_row
from midflight.versions import Manifest, Version


class Mode(Enum):
    FAST = "fast"


class Part(VersionedObject, version="1.1"):
    size: int
    note: str = field(default="", since="1.1")


class Thing(VersionedObject, version="1.0"):
    uuid: UUID = field(read_only=True)
    mode: Mode = field(default=Mode.FAST, column="mode_name")
    flags: set[str] = field(
        default_factory=set,
        column="flag_text",
        from_column=lambda text: text.split(),
        to_column=lambda v: " ".join(sorted(v)),
    )
    address: IPv4Address | None = None
    price: Decimal = Decimal(0)
    day: date | None = None
    made_at: datetime | None = None
    raw: bytes = b""
    main: Part | None = None
    parts: list[Part] = field(default_factory=list)
    limits: dict[int, list[int]] = field(default_factory=dict)


class Plain(VersionedObject, version="1.0"):
    host: str
    cores: int


class PlainList(ObjectList[Plain], version="1.0"):
    pass


Registry([Part, Thing, Plain, PlainList])
ROW: dict[str, Any] = {
    "uuid": str(UUID(int=1)), "mode_name": "fast", "flag_text": "a b", "address": "10.0.0.1", "price": Decimal("1.10"),
    "day": date(2026, 1, 2), "made_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "raw": b"\x00",
    "main": {"$": "Part:1.1", "size": 1, "note": ""}, "parts": [{"$": "Part:1.1", "size": 2, "note": "x"}],
    "limits": {"1": [2]},
}  # fmt: skip


def test_a_row_becomes_an_object_and_the_object_the_same_row() -> None:
    """Names and converters of columns, objects and containers in JSON columns, each type as columns take it."""
    thing = from_row(Thing, ROW)
    assert (thing.changes(), thing.mode, thing.flags) == ({}, Mode.FAST, {"a", "b"})
    assert (thing.main, thing.parts, thing.limits) == (Part(size=1), [Part(size=2, note="x")], {1: [2]})
    assert to_row(thing) == ROW
    json.dumps(to_row(thing)["limits"])


def test_only_what_has_changed_becomes_columns() -> None:
    """Also what changed deep inside."""
    thing = from_row(Thing, ROW)
    assert to_row(thing, only_changes=True) == {}
    thing.parts[0].size = 3
    thing.flags.add("c")
    changed = {"flag_text": "a b c", "parts": [{"$": "Part:1.1", "size": 3, "note": "x"}]}
    assert to_row(thing, only_changes=True) == changed


def test_objects_at_rest_are_of_the_store_floor() -> None:
    """The floor's readers find their own version; what it cannot say is refused, for it would be kept nowhere."""
    floor = Manifest({"Part": Version(1, 0), "Thing": Version(1, 0)})
    thing = from_row(Thing, ROW)
    with pytest.raises(PinnedOut, match="Part.note = 'x' needs Part 1.1"):
        to_row(thing, manifest=floor)
    thing.parts[0].note = ""
    assert to_row(thing, manifest=floor)["parts"] == [{"$": "Part:1.0", "size": 2}]


def test_older_objects_at_rest_are_brought_forward_and_newer_ones_refused() -> None:
    """With the path to them."""
    assert from_row(Thing, {"main": {"$": "Part:1.0", "size": 1}}).main == Part(size=1)
    with pytest.raises(NotReadable, match=r"Thing.parts\[0\]: received Part 1.2, understand up to 1.1"):
        from_row(Thing, {"parts": [{"$": "Part:1.2", "size": 1}]})
    with pytest.raises(InvalidValue, match=r"Thing.main.size: received 'x'"):
        from_row(Thing, {"main": {"$": "Part:1.1", "size": "x"}})


def test_more_than_the_row_has_is_given_by_name() -> None:
    """It is clean too; a name that is no field is refused; what has no column stays unset."""
    thing = from_row(Thing, {"mode_name": "fast", "other": 1}, parts=[Part(size=1)])
    assert (thing.changes(), thing.parts[0].changes(), thing.is_set("uuid")) == ({}, {}, False)
    assert list(to_row(thing)) == ["mode_name", "parts"]
    with pytest.raises(UnknownField, match="Thing has no field 'part'"):
        from_row(Thing, {}, part=1)


class Record(VersionedObject, version="1.0"):
    id: int
    at: datetime
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)


def test_what_is_given_beside_a_row_is_no_change_of_the_object() -> None:
    """Objects that have changed, alone and in a container, which the caller may go on changing."""
    part, parts = Part(size=1), [Part(size=2)]
    record = from_row(Record, {"id": 1, "at": datetime(2026, 1, 2)}, part=part, parts=parts)  # a column
    assert (record.at, record.changes()) == (datetime(2026, 1, 2, tzinfo=UTC), {})
    assert record.part is part
    part.size = record.parts[0].size = 3
    assert list(record.changes()) == ["part", "parts"]


def test_only_a_column_is_naive() -> None:
    """A time that a caller gives says when it is; a column is UTC, to the microsecond, as early and late as there are
    times."""
    with pytest.raises(InvalidValue, match=r"Record.at: .* a naive time says not when"):
        from_row(Record, {"id": 1}, at=datetime(2026, 1, 2))  # that is what is refused
    for time in (datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999_999)):  # columns
        assert from_row(Record, {"id": 1, "at": time}).at == time.replace(tzinfo=UTC)


def test_names_of_columns_may_be_more_than_text() -> None:
    """SQLAlchemy's are, also in a dict that was made of a row."""

    class Name(str):
        __slots__ = ()

    row = {Name("id"): "7", Name("at"): datetime(2026, 1, 2), "part": None}  # a column
    for columns in (row, MappingProxyType(row), {"part": None, **row}):
        found = from_row(Record, columns, parts=[])
        assert (found.id, found.at, found.changes()) == (7, datetime(2026, 1, 2, tzinfo=UTC), {})


def test_rows_whose_names_are_more_than_text_are_read_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are not read field by field because of SQLAlchemy's names, which would take ten times as long."""

    class Name(str):
        __slots__ = ()

    field_by_field = list[object]()
    monkeypatch.setattr(rows, "_made", lambda _, content: field_by_field.append(content))
    row = {Name("host"): "one", Name("cores"): 2}
    assert from_row(Plain, row).host == "one"
    assert [each.cores for each in from_rows(PlainList, [row] * 3)] == [2, 2, 2]
    assert field_by_field == []


def test_the_names_of_a_query_are_made_plain_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows share them; where there are too many queries to remember, each row is read as well."""

    class Name(str):
        __slots__ = ()

    def plain(host: str) -> Mapping[str, Any]:
        return rows._by_plain_names({Name("host"): host, Name("cores"): 2})  # nothing public shows whose text it is

    monkeypatch.setattr(rows, "_NAMES", {})
    first, second = plain("a"), plain("b")
    assert (first, second) == ({"host": "a", "cores": 2}, {"host": "b", "cores": 2})
    assert {*map(type, first)} == {str}
    assert all(map(operator.is_, first, second))
    monkeypatch.setattr(rows, "_NAMES", kept := {})
    monkeypatch.setattr(rows, "_MOST_QUERIES", 0)
    assert plain("c") == {"host": "c", "cores": 2}
    assert kept == {}


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (dict[IPv4Address, int], {IPv4Address("10.0.0.1"): 1}),
        (dict[Decimal, str], {Decimal("1.50"): "a"}),
        (dict[str, dict[IPv4Address, int]], {"a": {IPv4Address("10.0.0.1"): 1}}),
        (list[dict[MacAddress, int]] | None, [{MacAddress("02:00:00:00:00:01"): 1}]),
        (dict[tuple[int, str], int], {(1, "a"): 1, (2, "1, 2"): 2}),
        (dict[tuple[date, ...], int], {(date(2026, 1, 1),): 1, (): 2}),
    ],
)
def test_keys_of_a_dict_are_what_they_were(annotation: Any, value: Any) -> None:
    """JSON has text for keys only, and msgspec leaves that as it is; in a row, in one of many, and inside another
    object."""

    class Port(VersionedObject, version="1.0"):
        by_key: Any

    class PortList(ObjectList[Port], version="1.0"):
        pass

    class Switch(VersionedObject, version="1.0"):
        port: Port

    Port.__annotations__["by_key"] = annotation
    Registry([Port, PortList, Switch])
    port = Port(by_key=value)
    row = json.loads(json.dumps(to_row(port)))
    inside = json.loads(json.dumps(to_row(Switch(port=port))))
    for read in (from_row(Port, row), from_rows(PortList, [row])[0], from_row(Switch, inside).port):
        assert read.by_key == value
        assert repr(read.by_key) == repr(value)
        assert read.changes() == {}
