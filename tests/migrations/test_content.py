from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import JSON, DateTime, Integer, String, Text, make_url

from midflight.migrations.content import same, storing, writable

NOON = datetime(2015, 4, 30, 12, 0)


@pytest.mark.parametrize(
    ("stored", "derived"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}),
        ('{"a": 1,\n "b": [1, 2]}', {"b": (1, 2), "a": 1}),
        ('{"a":1}', '{ "a" : 1 }'),
        ({"1": "x"}, {1: "x"}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": float("nan")}, {"a": float("nan")}),
        (1, True),
        ("m1.small", "m1.small"),
        (None, None),
        (NOON, datetime(2015, 4, 30, 14, 0, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_same(stored: Any, derived: Any) -> None:
    """Order, spelling and the container's kind do not matter; a naive time in a row is UTC."""
    assert same(stored, derived)


@pytest.mark.parametrize(
    ("stored", "derived"),
    [
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {"a": False}),
        ({"a": "1"}, {"a": 1}),
        ([1, 2], [2, 1]),
        ([1, 2], [1, 2, 3]),
        ({"a": {}}, {"a": []}),
        (None, {}),
        (None, "null"),
        ('{"a": 1', {"a": 1}),
        ("1", 1),
        ("1", "1.0"),
        (NOON, NOON + timedelta(microseconds=1)),
    ],
)
def test_not_same(stored: Any, derived: Any) -> None:
    """What another reader would take for something else differs."""
    assert not same(stored, derived)


def test_what_json_cannot_hold() -> None:
    """A derived container that JSON cannot hold is a TypeError, not a difference."""
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        same(None, {"a": {1, 2}})


def test_storing() -> None:
    """A value goes into a column in the form that the column's type takes."""
    here, there = make_url("sqlite://").get_dialect()(), make_url("postgresql+psycopg://").get_dialect()()
    assert storing(Text(), here)({"a": "ü"}) == '{"a": "ü"}'
    assert storing(JSON(), here)('{"a": 1}') == {"a": 1}
    assert storing(JSON(), here)({"a": 1}) == {"a": 1}
    assert storing(String(), here)("m1") == "m1"
    assert storing(Integer(), here)(5) == 5
    aware = datetime(2015, 4, 30, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert storing(DateTime(), here)(aware) == NOON
    assert storing(DateTime(timezone=True), there)(aware) == NOON.replace(tzinfo=UTC)
    assert storing(DateTime(), here)("noon") == "noon"
    assert storing(JSON(), here)(None) is None


def test_writable() -> None:
    """A column of JSON is written NULL where there is nothing; the column's own type stays as it is."""
    json, number = JSON(), Integer()
    assert (writable(json).none_as_null, json.none_as_null) == (True, False)
    assert writable(number) is number
