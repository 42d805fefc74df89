"""What is written as TOML is read as the same."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from midflight import toml
from midflight.errors import InvalidValue

DOCUMENTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "plain": {"port": 0, "share": 0.5, "large": 1e300, "on": True, "off": False, "endless": float("-inf")},
    "text": {"name": 'a "b"\n\t\x00\x7f\\é𝄞', "𝄞 key": "", "": "nameless", "a.b": "no table"},
    "times": {"at": datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "day": date(2026, 1, 2), "noon": time(12)},
    "tables": {"one": {"inner": {"of it": {}}, "x": 1}, "last": 1, "none": {}},
    "lists": {"of lists": [[1, 2], [], ["x"]], "mixed": [1, {"x": [{"y": {}}]}], "pair": (1, 2)},
    "lists of tables": {"steps": [{"name": "pin", "facts": {"a": [1]}}, {}, {"more": [{"x": 1}]}], "last": 1},
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_document_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    """Whatever TOML can say."""
    expected = {name: [*value] if isinstance(value, tuple) else value for name, value in document.items()}
    assert tomllib.loads(toml.dumps(document)) == expected


def test_a_document_reads_well() -> None:
    """Entries first, then tables; names without quotes where they need none; nothing empty above a table."""
    document = {"objects": {"Disk": {"fields": {"id": "int"}, "version": "1.0"}}, "release": "juno"}
    assert toml.dumps(document) == (
        'release = "juno"\n\n[objects.Disk]\nversion = "1.0"\n\n[objects.Disk.fields]\nid = "int"\n'
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "[app] limits.it[1]: received None, expected a str, bool, int, float, date, or time"),
        (b"bytes", "[app] limits.it[1]: received b'bytes', expected a str"),
        ("half \ud834", r"[app] limits.it[1]: received 'half \ud834', expected a str"),
        ({7: "x"}, "[app] limits.it[1].7: received the key 7, expected a str"),
        (time(12, tzinfo=UTC), "[app] limits.it[1]: received datetime.time(12, 0, tzinfo=datetime.timezone.utc)"),
    ],
)
def test_what_toml_has_no_word_for_is_named(value: object, told: str) -> None:
    """With its place."""
    with pytest.raises(InvalidValue, match=f"^{re.escape(told)}"):
        toml.dumps({"app": {"limits": {"it": [1, value]}}})


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"\ud800": 1}, r"'\ud800': received '\ud800', expected a str"),
        ({"app": {"\ud800": {}}}, r"[app] '\ud800': received '\ud800', expected a str"),
        ({"steps": [{"on": {}}, {"on": {"x": None}}]}, "[steps[1]] on.x: received None, expected a str"),
    ],
    ids=["key", "table", "list of tables"],
)
def test_a_place_is_told_wherever_it_is(document: dict[str, Any], told: str) -> None:
    """Also of a name that is no text, and of one of several tables."""
    with pytest.raises(InvalidValue, match=f"^{re.escape(told)}"):
        toml.dumps(document)
