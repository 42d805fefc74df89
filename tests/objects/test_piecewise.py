"""What is large is read piece by piece, and nobody's choice of keys makes that slow."""

from decimal import Decimal
from enum import Enum
from ipaddress import IPv6Network
from typing import Any
from uuid import UUID

import msgspec
import pytest

from midflight.errors import InvalidValue, MalformedMessage
from midflight.objects import containers, leaves, piecewise, wire
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.versions import Manifest, Version

MODULUS = 2**61 - 1
"""Python's hash of a number is its remainder."""


class Color(Enum):
    RED = "red"
    OTHER = "other"


class Leaf(VersionedObject, version="1.1"):
    size: int
    color: Color = field(default=Color.OTHER, fallback=Color.OTHER)
    secret: str = field(default="", sensitive=True)
    note: str = field(default="", since="1.1")


class Twig(Leaf, version="1.0"):
    size: int
    color: Color = field(default=Color.OTHER, fallback=Color.OTHER)
    note: str = ""
    length: int = 0


class Tree(VersionedObject, version="1.1"):
    name: str
    ids: set[UUID] = field(default_factory=set)
    prices: frozenset[Decimal] = frozenset()
    nets: set[IPv6Network] = field(default_factory=set)
    by_id: dict[UUID, int] = field(default_factory=dict)
    by_place: dict[tuple[int, int], int] = field(default_factory=dict)
    leaf: Leaf | None = None
    leaves: list[Leaf] = field(default_factory=list)
    named: dict[str, Leaf] = field(default_factory=dict)
    pair: tuple[int, str] = (0, "")
    any: Any = None
    raw: bytes = field(default=b"", since="1.1")


KIND = Registry([Leaf, Twig, Tree]).kind(Tree)


def alike(number: int, form: Any) -> list[Any]:
    """Different values with one hash."""
    return [form(7 + at * MODULUS) for at in range(number)]


def tuples(number: int) -> list[tuple[int, int]]:
    """Pairs with one hash: CPython's is a chain of reversible steps, so a second half is computed for each first."""
    one, two, start, turn = 11400714785074694791, 14029467366897019727, 2870177450012600261, 2**64
    found: list[tuple[int, int]] = []
    first = 0
    while len(found) < number:
        first = (first + 0x9E3779B97F4A7C15) % MODULUS
        mixed = (start + first * two) % turn
        mixed = ((mixed << 31 | mixed >> 33) * one) % turn
        second = (12345 - mixed) * pow(two, -1, turn) % turn
        second -= turn if second >= turn // 2 else 0
        if abs(second) < MODULUS and second != -1:
            found.append((first, second))
    return found


def packed(tree: dict[str, Any]) -> bytes:
    """A wire form as a peer may write it."""
    return msgspec.msgpack.encode({"$": "Tree:1.1~", "name": "x", **tree})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ids", alike(12_000, lambda n: str(UUID(int=n)))),
        ("prices", alike(12_000, str)),
        ("nets", alike(3_000, lambda n: str(IPv6Network(n)))),
        ("by_id", dict.fromkeys(alike(12_000, lambda n: str(UUID(int=n))), 1)),
        ("by_place", dict.fromkeys(tuples(1000), 1)),
    ],
)
def test_keys_that_were_chosen_to_have_one_hash_are_refused_with_the_path(name: str, value: Any) -> None:
    """From the wire, whether all else in it is right or not, and where they are assigned."""
    expected = rf"^call.{name}: received list of \d+, expected at most 64 different values with one hash"
    for data in (packed({name: value}), packed({name: value, "pair": 3})):
        with pytest.raises((InvalidValue, MalformedMessage), match="at most 64 different values with one hash"):
            wire.decode(data, KIND, path="call")
    with pytest.raises(InvalidValue, match=expected):
        wire.decode(packed({name: value}), KIND, path="call")
    with pytest.raises(InvalidValue, match=f"^Tree.{name}: received list of .* with one hash"):
        setattr(Tree(name="x"), name, value)


@pytest.mark.parametrize("name", ["any", "name", "raw", "stranger", "leaf"])
def test_such_keys_are_refused_wherever_somebody_puts_them(name: str) -> None:
    """In place of any field, known here or not: no dict is made of them."""
    data = packed({name: {"inside": [dict.fromkeys(tuples(1000), 1)]}, "pair": 3})
    with pytest.raises((MalformedMessage, InvalidValue)):
        wire.decode(data, KIND, path="call")


def test_no_more_than_a_piece_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever may become a dict with keys that a peer has chosen."""
    read: list[int] = []

    class Spy:
        def decode(self, data: Any) -> Any:
            read.append(len(data))
            return msgspec.msgpack.decode(data)

    monkeypatch.setattr(piecewise, "_generic", Spy())
    whole = {"pair": 3, "any": [{"n": at, "text": "x" * 50} for at in range(1000)], "leaves": [3] * 9000}
    with pytest.raises(InvalidValue, match="call.leaves"):
        wire.decode(packed(whole), KIND, path="call")
    assert 0 < max(read) <= piecewise.AT_ONCE
    assert sum(read) < 2 * len(packed(whole))


def test_honest_values_of_one_hash_are_welcome() -> None:
    """All powers of two that are floats: 34 of them have each hash. A value that is repeated is one."""
    powers = [float(2) ** at for at in range(-1074, 1024)]
    kind = Registry([]).kind(set[float])
    assert wire.decode(msgspec.msgpack.encode(powers), kind) == set(powers)
    assert wire.decode(msgspec.msgpack.encode([1.5] * 10_000), kind) == {1.5}
    ids = {UUID(int=at) for at in range(5000)}
    assert wire.decode(wire.encode(ids), KIND.shape.fields["ids"].kind) == ids  # type: ignore[attr-defined]  # of an object


def grown() -> Tree:
    """A tree with something everywhere, of which a part has changed."""
    tree = Tree(
        name="oak", ids={UUID(int=1)}, prices=frozenset([Decimal("1.5")]), nets={IPv6Network("fe80::/64")},
        by_id={UUID(int=3): 1}, by_place={(1, 2): 3},
        leaf=Leaf(size=1, color=Color.RED, secret="s"), leaves=[Leaf(size=2), Twig(size=3)],
        named={"a": Leaf(size=4)}, pair=(1, "x"), any={"a": [1, {"b": 2.5}]}, raw=b"1234567890",
    )  # fmt: skip
    tree.reset_changes()
    tree.leaves[1].size = 9
    tree.any["a"].append(7)
    return tree


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all but a few bytes were large."""
    for module in (leaves, containers, piecewise):
        monkeypatch.setattr(module, "AT_ONCE", 4)


OLDER = Manifest({"Tree": Version(1, 0), "Leaf": Version(1, 0), "Twig": Version(1, 0)})


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("manifest", [None, OLDER])
def test_what_is_read_by_pieces_is_what_is_read_at_once(manifest: Manifest | None) -> None:
    """Containers of all sorts, objects of another version and of a subclass, unset fields, and what has changed."""
    tree = grown()
    data = wire.encode(tree, manifest, where=wire.REPLY)
    by_pieces, at_once = wire.decode(data, KIND), KIND.build(msgspec.msgpack.decode(data, strict=False), "", None)
    assert by_pieces == at_once
    assert by_pieces.changes() == tree.changes()
    assert by_pieces.leaves[1].changes() == {"size": 9}
    assert [type(leaf).__name__ for leaf in by_pieces.leaves] == ["Leaf", "Twig"]
    partial = wire.decode(wire.encode(wire.from_row(Tree, {"name": "ash"})), KIND)
    assert (partial.name, partial.is_set("ids"), partial.changes()) == ("ash", False, {})


@pytest.mark.usefixtures("_small")
def test_what_rides_along_is_kept_piece_by_piece() -> None:
    """Members of an Enum that are unknown here, and fields of a newer version."""
    data = packed({"leaf": {"$": "Leaf:1.1~", "size": 1, "color": "blue"}})
    leaf = wire.decode(data, KIND).leaf
    assert (leaf.color, leaf._riding["color"]) == (Color.OTHER, "blue")


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"leaves": [{"$": "Leaf:1.1~"}, {"$": "Leaf:1.1~", "size": "x"}]}, r"call.leaves\[1\].size: received 'x'"),
        ({"named": {"a": {"$": "Leaf:1.1~", "size": []}}}, r"call.named\['a'\].size: received list of 0, expected int"),
        ({"ids": ["6f745121-ec03-4be6-89bf-000000000001", "y" * 36]}, r"call.ids\[1\]: received 'yyy.*, expected UUID"),
        ({"leaf": {"$": "Leaf:1.1~", "secret": [1, 2, 3, 4]}}, r"call.leaf.secret: received \*\*\* \(sensitive"),
        ({"by_id": [1, 2, 3, 4]}, r"call.by_id: received list of 4, expected dict"),
        ({"leaves": {"a": "b"}}, r"call.leaves: received dict of 1, expected list\[Leaf\]"),
        ({"leaf": "not an object"}, r"call.leaf: received 'not an object'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_piece_is_named_with_its_path(wrong: dict[str, Any], message: str) -> None:
    """As if it had been read at once."""
    with pytest.raises(InvalidValue, match=message):
        wire.decode(packed(wrong), KIND, path="call")
    with pytest.raises(InvalidValue, match=message):
        KIND.build(msgspec.msgpack.decode(packed(wrong)), "call", None)


@pytest.mark.usefixtures("_small")
def test_a_large_piece_that_ends_too_early_is_malformed() -> None:
    """Also where a dict says that it has more in it than any bytes could."""
    data = wire.encode(grown())
    for end in range(1, len(data), 7):
        with pytest.raises((MalformedMessage, InvalidValue)):
            wire.decode(data[:end], KIND)
    for size in (b"\xdf\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xdd\xff\xff\xff\xff"):
        with pytest.raises((MalformedMessage, InvalidValue)):
            wire.decode(size + b"\x01" * 20, KIND)


def test_no_number_that_is_none_arrives_in_any_field() -> None:
    """NaN in a field of plain values is refused, however deep inside, as where it is assigned."""
    with pytest.raises(InvalidValue, match="^call.any: received nan"):
        wire.decode(packed({"any": [{"deep": float("nan")}]}), KIND, path="call")
