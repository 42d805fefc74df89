"""How types, defaults and bodies are worded in a frozen release."""

import functools
import runpy
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec
import pytest

from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject, Wire
from midflight.objects.bodies import digest_of, keys_touched, told
from midflight.objects.contract import field_in_words, object_in_words, spell, worded
from midflight.objects.fields import field
from midflight.objects.kinds import kind_of
from midflight.objects.nested import object_kind


class Number(IntEnum):
    ONE = 1


class Digit(Enum):
    ONE = "1"
    ODD = "a | b"


class Grown(StrEnum):
    A = "a"
    REST = "rest"

    @classmethod
    def _missing_(cls, value: object) -> "Grown":
        return cls.REST


class Way(StrEnum):
    OPEN = "open"
    SHUT = "shut"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (dict[str, list[int | None]], "dict[str, list[int | None]]"),
        (tuple[int, ...] | None, "tuple[int, ...] | None"),
        (Annotated[str, msgspec.Meta(pattern="^, }$", min_length=1)], "str {pattern '^, }$', min_length 1}"),
        (Annotated[datetime, msgspec.Meta(tz=False)], "datetime {tz False}"),
        (Annotated[int, msgspec.Meta(le=9), msgspec.Meta(ge=0)], "int {ge 0, le 9}"),
        (Literal["slow", "fast"], "('slow', 'fast')"),
        (Number, "Number(1)"),
        (Digit, "Digit('1' | 'a | b')"),
        (Grown, "Grown(a | rest | else rest)"),
    ],
)
def test_two_types_that_differ_on_the_wire_are_never_spelled_alike(annotation: Any, words: str) -> None:
    """To the last element, its constraints and members; a number is no text that looks like one."""
    assert spell(kind_of(annotation, object_kind, "")) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (frozenset({"b", "a"}), "frozenset(['a', 'b'])"),
        ({"a": [1, (2,)]}, "{'a': [1, (2,)]}"),
        (Grown.A, "a"),
        (Number.ONE, "1"),
        (Digit.ONE, "'1'"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (timedelta(seconds=5), "datetime.timedelta(seconds=5)"),
        ((), "()"),
    ],
)
def test_the_same_value_is_always_worded_alike(value: Any, words: str) -> None:
    """Whatever order a set has in this run."""
    assert worded(value) == words


def test_a_field_is_worded_with_its_marks() -> None:
    """Type first, then what leaving it out means, then its life."""

    class Disk(VersionedObject, version="1.1"):
        tags: list[str] = field(default_factory=list, since="1.1", read_only=True)
        when: str = field(default_factory=lambda: "now")

    fields = Disk.__shape__.resolve().fields
    assert field_in_words(fields["tags"]) == "list[str], default [], since 1.1, read-only"
    assert field_in_words(fields["when"]) == "str, default lambda() body c9315f7e"
    assert object_in_words(Disk)["version"] == "1.1"


def test_a_whole_life_is_in_words() -> None:
    """Tombstones, masks, fallbacks of one field, and the moves of a state machine."""

    class Door(VersionedObject, version="1.1"):
        state: Way = field(default=Way.SHUT, fallback=Way.OPEN, transitions={Way.SHUT: [Way.OPEN], Way.OPEN: []})
        key: str = field(default="", sensitive=True)
        colour: str = field(default="red", until="1.1")

    assert object_in_words(Door)["fields"] == {
        "state": "Way(open | shut | else open), default shut, moves {open to nothing, shut to open}",
        "key": "str, default '', sensitive",
        "colour": "str, default 'red', until 1.1",
    }


def plain(self: Any, wire: Wire) -> None:
    wire["a"] = wire.get("b", 1)


def dressed(self: Any, wire: Wire) -> None:
    """It says what it does."""
    # it also
    wire["a"] = wire.get(
        "b",
        1,
    )  # fmt: skip


def other(self: Any, wire: Wire) -> None:
    wire["a"] = wire.get("b", 2)


def other_parameter(self: Any, wire: Wire, more: int = 1) -> None:
    wire["a"] = wire.get("b", 1)


def test_a_digest_stands_for_what_a_body_does() -> None:
    """Comments, formatting, docstrings and the name do not count; a constant and a parameter do."""
    assert digest_of(plain) == digest_of(dressed) == "b5a44f9d"
    assert len({digest_of(each) for each in (plain, other, other_parameter)}) == 3


MODULE = """
import functools
import os
LIMIT = 8
HOME = os.path.join("a", "b")
once = functools.cache

def cut(text):
    return text[:LIMIT] if HOME else again(text)

@once
def again(text):
    return cut(text)

def rewrite(self, wire):
    wire["a"] = cut(wire["a"])
"""


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("LIMIT = 8", "LIMIT: int = 8  # letters", False),
        ("LIMIT = 8", "LIMIT = 9", True),
        ("return cut(text)", "return text", True),
        ('"a", "b"', '"a", "c"', False),
    ],
)
def test_a_digest_stands_for_what_a_body_calls_by_name(tmp_path: Path, old: str, new: str, differs: bool) -> None:
    """Functions of the project and constants that are written in the module, through however many of them; what is
    computed may be another in each process."""
    digests = [
        digest_of(runpy.run_path(_written(tmp_path / name, text))["rewrite"])
        for name, text in (("a.py", MODULE), ("b.py", MODULE.replace(old, new)))
    ]
    assert (digests[0] != digests[1]) is differs


def _written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


pair = (lambda value: value + 1, lambda value: value + 2)
none = (lambda: 1, lambda: 2)


class Reader:
    def __call__(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (int, "int"),
        (uuid4, "uuid4"),
        (str.upper, "upper"),
        (plain, "plain b5a44f9d"),
        (functools.partial(plain, 1, wire=2), "plain b5a44f9d given [1, wire=2]"),
        (pair[0], "lambda c623a250"),
        (pair[1], "lambda f401610f"),
        (none[0], "lambda 4b976a2c"),
        (none[1], "lambda edafa372"),
        (Reader(), "Reader 99c912f9"),
    ],
)
def test_a_function_is_told_by_its_name_and_its_body(function: Callable[..., Any], words: str) -> None:
    """Lambdas in one line are told apart; what a library of Python does is not the project's to change."""
    assert told(function) == words


def in_test(wire: Wire) -> None:
    if "a" in wire and wire.pop("b", None):
        del wire["c"]


def by_a_helper(wire: Wire) -> None:
    print(wire)  # noqa: T201


@pytest.mark.parametrize(("function", "keys"), [(plain, ("a", "b")), (in_test, ("a", "b", "c")), (by_a_helper, ())])
def test_the_keys_that_a_rewrite_names_are_seen(function: Callable[..., None], keys: tuple[str, ...]) -> None:
    """A body that names none may touch any."""
    assert keys_touched(function) == keys


def test_a_function_without_its_source_is_refused() -> None:
    """A release is frozen from the source, since bytecode differs between Pythons."""
    namespace: dict[str, Any] = {}
    exec("def made(wire): pass", namespace)
    with pytest.raises(ProjectError, match="its source cannot be read"):
        digest_of(namespace["made"])
