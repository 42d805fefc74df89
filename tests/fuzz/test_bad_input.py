"""No bytes can do more than be refused: one typed error, in bounded time and memory."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight.errors import InvalidValue, MalformedMessage, MidflightError
from midflight.objects import wire
from midflight.objects.nested import kind_of_class
from midflight.testing.strategies import PLAIN, Strategies
from tests.fuzz.targets import OBJECTS, feed, read_json, read_object
from tests.testing.everything import Coins, Leaves, Node

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
VALUES = Strategies({Coins: st.builds(Coins, st.integers(0, 2**63))})
HEAD = b"\x82\xa1$\xabLeaves:1.4~\xa8"
AN_OBJECT = st.sampled_from(OBJECTS).flatmap(VALUES.objects)
ODD = st.one_of(
    PLAIN, st.floats(), st.binary(max_size=20), st.datetimes(), st.integers(2**63, 2**64 - 1), st.text(max_size=200),
    st.sampled_from(["nan", "inf", "P9999999999D", "0001-01-01T00:00:00+02:00", "9" * 5000, "http://[::1", "\x00"]),
    st.builds(lambda tag: {"$": tag}, st.sampled_from(["Disk:1.1", "Node:2.9", "Node:9.0", "Nobody:1.0", "Node", ":"])),
)  # fmt: skip


def nested(levels: int, version: str = "2.1") -> dict[str, Any]:
    """A chain of objects."""
    node: dict[str, Any] = {"$": f"Node:{version}~", "name": "x"}
    for _ in range(levels):
        node = {"$": f"Node:{version}~", "name": "x", "parent": node}
    return node


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_kept_corpus_is_read_or_refused(path: Path) -> None:
    """Whatever fuzzing has found interesting, or has once crashed with."""
    feed(path.read_bytes())


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    """By every decoder."""
    feed(data)


@given(AN_OBJECT, st.data())
def test_truncated_and_mutated_bytes_are_read_or_refused(obj: Any, draw: st.DataObject) -> None:
    """A whole object, cut somewhere, with a few of its bytes replaced."""
    data = bytearray(wire.encode(obj))
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    read_object(bytes(data), type(obj).__shape__.cls)
    read_object(bytes(data[:cut]), type(obj).__shape__.cls)


@given(AN_OBJECT, st.data())
def test_a_wrong_value_in_one_field_is_named_by_its_path(obj: Any, draw: st.DataObject) -> None:
    """On the wire and at rest; or it is one that the field can take."""
    cls = type(obj).__shape__.cls
    name, value = draw.draw(st.sampled_from([*cls.__shape__.fields])), draw.draw(ODD)
    form = {**msgspec.msgpack.decode(wire.encode(obj)), name: value}
    path = f"{cls.__name__}.{name}"
    try:
        wire.decode(msgspec.msgpack.encode(form), kind_of_class(cls), path=cls.__name__)
    except MidflightError as error:
        path = getattr(error, "path", path)
    assert path.startswith(f"{cls.__name__}.{name}")
    try:
        read_json(json.dumps({**wire.to_json(obj), name: value}).encode(), cls)
    except TypeError:  # JSON cannot say such a value, nor say the content of a parcel
        pass


@pytest.mark.parametrize("levels", [50, 200, 400, 900, 5_000])
def test_deep_nesting_is_read_or_refused(levels: int) -> None:
    """Of objects, which are looked into, and of plain values."""
    deep = b"\x91" * levels + b"\xc0"
    for data in (HEAD + b"anything" + deep, HEAD[:-1] + b"\xa1+" + deep, deep):
        read_object(data, Leaves)
    if levels < 1_000:
        read_object(msgspec.msgpack.encode(nested(levels)), Node)
        read_json(json.dumps(nested(levels)).encode(), Node)


def test_what_is_nested_too_deep_says_so() -> None:
    """With the path, for bytes and at rest."""
    with pytest.raises(InvalidValue, match="^call: received something nested too deep, expected Node"):
        wire.decode(msgspec.msgpack.encode(nested(900, "2.0")), kind_of_class(Node), path="call")
    with pytest.raises(InvalidValue, match="^Node: received something nested too deep, expected Node"):
        wire.from_json(nested(900), Node)


@pytest.mark.parametrize("size", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
                                  b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01"])  # fmt: skip
def test_a_huge_length_costs_nothing(size: bytes) -> None:
    """Four thousand million elements are declared, and none is there: nothing is reserved for them."""
    for data in (size, HEAD + b"anything" + size, HEAD[:-1] + b"\xa4str_" + size):
        tracemalloc.start()
        try:
            feed(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000


def test_a_huge_key_is_not_repeated_in_the_path() -> None:
    """A peer chooses its keys, and errors are logged."""
    form = {"$": "Node:2.1~", "by_name": {"k" * 100_000: 1}}
    with pytest.raises(InvalidValue) as caught:
        wire.decode(msgspec.msgpack.encode(form), kind_of_class(Node), path="Node")
    assert len(str(caught.value)) < 300
    assert caught.value.path.startswith("Node.by_name['kkk")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timedelta_", 1e300), ("timedelta_", float("inf")), ("timedelta_", "P99999999999D"),
        ("datetime_", "2026-01-01T00:00:00"), ("float_", float("nan")), ("str_", b"\xff"), ("int_", 1.5),
        ("decimal", "NaN"), ("date_", "2026-13-01"), ("url", "http://[::1"), ("uuid", "x"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_an_invalid_value(field: str, value: Any) -> None:
    """Too long a time, a time without zone, what is no number: on arrival as on assignment."""
    form = msgspec.msgpack.encode({"$": "Leaves:1.4~", field: value})
    with pytest.raises(InvalidValue, match=rf"^Leaves\.{field}: received"):
        wire.decode(form, kind_of_class(Leaves), path="Leaves")
    with pytest.raises(InvalidValue, match=rf"^Leaves\.{field}: received"):
        setattr(Leaves.unset(), field, value)


def test_an_endless_number_is_refused_and_not_spelled_out() -> None:
    """Python itself refuses to spell it."""
    for field, value in (("int_", 10**5000), ("bool_", 10**5000), ("int_", 2**64), ("int_", "9" * 5000)):
        with pytest.raises(InvalidValue, match=rf"^Leaves\.{field}: received"):
            setattr(Leaves.unset(), field, value)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"])
def test_a_time_at_the_end_of_the_calendar_is_refused_with_its_path(when: str) -> None:
    """It has no place in UTC."""
    with pytest.raises(InvalidValue, match=r"^Leaves\.datetime_: .* whose UTC lies in the years 1 to 9999"):
        setattr(Leaves.unset(), "datetime_", when)  # noqa: B010  # as in the tests around it


def test_what_no_bytes_can_say_is_refused_where_it_is_sent() -> None:
    """An integer of more than 64 bits in a field that takes anything."""
    leaves = Leaves.unset()
    leaves.anything = 2**64
    with pytest.raises(InvalidValue, match=r"^Leaves: received .*, expected what can travel"):
        wire.encode(leaves)


def test_of_a_doubled_key_the_last_one_counts() -> None:
    """As MessagePack's readers do, natively and on the slow road."""
    for tag in (b"\xa9Node:2.1~", b"\xa9Node:2.0~"):
        data = b"\x83\xa1$" + tag + b"\xa4name\xa1a\xa4name\xa1b"
        assert wire.decode(data, kind_of_class(Node)).name == "b"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("Nobody:1.0", "call: received object Nobody, expected object Node"),
        ("Node:9.9", "call: received Node 9.9, understand up to 2.1"),
        ("Node:x", "call: received Node:x, expected received version 'x'"),
        ("Node:1e9.0", "call: received Node:1e9.0, expected received version"),
    ],
)
def test_an_unknown_name_or_version_is_named(tag: str, said: str) -> None:
    """What was received, and what is understood."""
    with pytest.raises(MidflightError, match=said):
        wire.decode(msgspec.msgpack.encode({"$": tag}), kind_of_class(Node), path="call")


def test_invalid_utf_8_is_a_malformed_message() -> None:
    """There is nothing in it that could be looked into."""
    with pytest.raises(MalformedMessage, match="utf-8"):
        wire.decode(b"\x82\xa1$\xa9Node:2.1~\xa4name\xa2\xff\xff", kind_of_class(Node))
