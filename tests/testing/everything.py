"""Objects with a field of every type that can travel."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from midflight.objects.base import VersionedObject
from midflight.objects.fields import field, lazy
from midflight.objects.lists import ObjectList
from midflight.objects.types import Codec, MacAddress, Url


class Power(StrEnum):
    OFF = "off"
    UNKNOWN = "not known"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Colour(Enum):
    RED = "red"
    ODD = "None"

    @classmethod
    def _missing_(cls, value: object) -> "Colour":
        return cls.ODD


@dataclass(frozen=True)
class Coins:
    cents: int


Purse = Annotated[
    Coins, Codec(lambda v: v if isinstance(v, Coins) else Coins(v), lambda coins: coins.cents, lambda n: Coins(n))
]


class Leaves(VersionedObject, version="1.4"):
    bool_: bool
    int_: int
    float_: float
    str_: str
    bytes_: bytes
    datetime_: datetime
    date_: date
    time_: time
    timedelta_: timedelta
    decimal: Decimal
    uuid: UUID = field(read_only=True)
    path: Path
    mac: MacAddress
    url: Url
    v4: IPv4Address
    v6: IPv6Address
    either: IPv4Address | IPv6Address | None = None
    net4: IPv4Network
    net6: IPv6Network
    face4: IPv4Interface
    face6: IPv6Interface
    power: Power = field(default=Power.OFF, transitions={Power.OFF: {Power.UNKNOWN}})
    growing: Power = field(default=Power.OFF, fallback=Power.UNKNOWN)
    size: Size
    colour: Colour
    mode: Literal["slow", "fast", 3, None]
    purse: Purse
    anything: Any
    secret: str = field(sensitive=True, default="")


class Bounded(VersionedObject, version="1.0"):
    count: Annotated[int, Meta(ge=1, lt=100, multiple_of=7)]
    share: Annotated[float, Meta(ge=0, le=1)]
    letters: Annotated[str, Meta(pattern="^[a-z]+$", max_length=8)]
    short: Annotated[str, Meta(min_length=1, max_length=3)] | None
    maybe: Annotated[int | None, Meta(ge=0)]
    raw: Annotated[bytes, Meta(max_length=4)]
    few: Annotated[list[Annotated[int, Meta(gt=0)]], Meta(min_length=1, max_length=2)]
    set_: Annotated[set[str], Meta(max_length=1)]
    table: Annotated[dict[str, int], Meta(min_length=1)]


class Containers(VersionedObject, version="1.0"):
    lists: list[list[int | None]]
    sets: set[UUID]
    frozen: set[frozenset[int]]
    pairs: tuple[int, list[str]]
    many: tuple[IPv4Address, ...]
    by_name: dict[str, dict[int, str]]
    by_size: dict[Size, list[Power]]
    by_uuid: dict[UUID, datetime]
    by_mac: dict[MacAddress, Decimal]
    purses: list[Purse]


class Node(VersionedObject, version="2.1"):
    """It holds its own kind, in every way."""

    name: str
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    by_name: dict[str, "Node"] = field(default_factory=dict)
    late: list["Node"] = lazy(since="2.1")


class LeafNode(Node, version="1.0"):
    """A subclass may stand where the base does."""

    late: list["Node"] = lazy()
    weight: int = 0


class NodeList(ObjectList[Node], version="1.0"):
    pass


class Parcel(VersionedObject, version="1.0"):
    content: msgspec.Raw
    labels: list[str] = field(default_factory=list)


EVERYTHING = (Leaves, Bounded, Containers, Node, LeafNode, NodeList, Parcel)
