"""Construction, assignment, reading and the life of a field."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import Meta

from midflight.context import Context
from midflight.errors import (
    FieldNotLoaded,
    InvalidValue,
    MissingField,
    NoContext,
    ProjectError,
    ReadOnlyField,
    UnknownField,
)
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.kinds import kind_of
from midflight.objects.nested import object_kind
from tests.objects.sample import Disk, Instance, InstanceList, Power

ID = UUID(int=7)


def test_construction_coerces_what_is_meant_as_the_type() -> None:
    """Text for a UUID, a number, a word, an address and an enum become what they mean."""
    made: Any = {"uuid": str(ID), "memory_mb": "1024", "locked": "False", "address": "10.0.0.1", "power": "on"}
    instance = Instance(**made)
    assert (instance.uuid, instance.memory_mb, instance.locked) == (ID, 1024, False)
    assert (instance.address, instance.power) == (IPv4Address("10.0.0.1"), Power.ON)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_mb", "abc"), ("memory_mb", 1.5), ("memory_mb", True), ("memory_mb", 2**64), ("memory_mb", None),
        ("locked", "maybe"), ("power", "sideways"), ("address", "300.1.1.1"), ("address", 7), ("host", b"x"),
        ("launched_at", datetime(2020, 1, 1)), ("launched_at", "yesterday"), ("tags", "text"), ("labels", [1]),
        ("labels", {"a": ["x"]}), ("boot", 3), ("disks", [Disk(gigabytes=1), 2]),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused_by_the_name_of_its_field(name: str, value: object) -> None:
    """A ValueError names Class.field, what was received and what was expected; the old value stays."""
    instance = Instance(uuid=ID, disks=[])
    before = getattr(instance, name)
    with pytest.raises(ValueError, match=rf"^Instance\.{name}.*: received .*, expected "):
        setattr(instance, name, value)
    assert getattr(instance, name) == before


def test_the_path_leads_to_the_wrong_element() -> None:
    """The error of a container names the place inside it."""
    with pytest.raises(InvalidValue) as caught:
        Instance(uuid=ID, labels={"a": [1, "x"]})  # type: ignore[list-item]
    assert str(caught.value) == "Instance.labels['a'][1]: received 'x' (str), expected int."


def test_a_missing_required_field_is_a_type_error() -> None:
    """It names the object and the field, and the way to start without them."""
    with pytest.raises(TypeError) as caught:
        Instance()  # type: ignore[call-arg]
    assert isinstance(caught.value, MissingField)
    assert str(caught.value) == "Instance needs uuid: give them, or start with Instance.unset(context)."


def test_an_unknown_keyword_or_attribute_is_refused() -> None:
    """Neither construction nor assignment takes a name that is no field."""
    with pytest.raises(TypeError, match="Disk has no field 'size'"):
        Disk(gigabytes=1, size=2)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="it has gigabytes, encrypted"):
        Disk(gigabytes=1).size = 3  # type: ignore[attr-defined]


def test_times_are_utc_to_the_microsecond() -> None:
    """A zoned time becomes the same moment in UTC."""
    instance = Instance(uuid=ID)
    instance.launched_at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=ZoneInfo("Europe/Berlin"))
    assert instance.launched_at == datetime(2026, 1, 2, 2, 4, 5, 678, tzinfo=UTC)
    instance.launched_at = datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-5)))
    assert instance.launched_at.hour == 5


def test_a_read_only_field_is_assigned_once() -> None:
    """An unset one may still be assigned."""
    instance = Instance.unset()
    instance.uuid = ID
    with pytest.raises(ReadOnlyField):
        instance.uuid = UUID(int=8)


def test_an_unset_field_says_how_to_load_it() -> None:
    """Reading it is an AttributeError with the call to make; is_set tells without raising."""
    instance = Instance(uuid=ID)
    assert not instance.is_set("disks")
    with pytest.raises(FieldNotLoaded) as caught:
        _ = instance.disks
    assert str(caught.value) == "Instance.disks is not loaded: await obj.load('disks') first."
    with pytest.raises(UnknownField):
        instance.is_set("discs")


class Plot(VersionedObject, version="1.0"):
    width: int
    depth: int

    @property
    def area(self) -> int:
        return self.width * self.depth

    @property
    def owner(self) -> str:
        return self.width.owner  # type: ignore[attr-defined, no-any-return]  # the mistake


def test_a_property_that_fails_on_an_incomplete_object_says_why() -> None:
    """A field that it reads is unset, or it has a mistake of its own; what does not exist at all is another thing."""
    plot = Plot.unset()
    with pytest.raises(FieldNotLoaded, match="Plot.width is not loaded"):
        _ = plot.area
    plot.width = 3
    with pytest.raises(FieldNotLoaded, match="Plot.depth is not loaded"):
        _ = plot.area
    with pytest.raises(AttributeError, match="'int' object has no attribute 'owner'"):
        _ = plot.owner
    with pytest.raises(AttributeError, match="Plot has no attribute 'height'"):
        _ = plot.height  # type: ignore[attr-defined]  # that is what is refused
    plot.depth = 2
    assert plot.area == 6


@pytest.mark.parametrize(
    "make",
    [
        lambda: Disk(gigabytes=1, context=5),  # type: ignore[arg-type]  # that is what is refused
        lambda: Disk.unset(5),  # type: ignore[arg-type]  # likewise
        lambda: wire.from_row(Disk, {"gigabytes": 1}, context=5),
        lambda: wire.from_json(wire.to_json(Disk(gigabytes=1)), Disk, context=5),
    ],
)
def test_what_is_no_context_is_refused(make: Callable[[], Any]) -> None:
    """Where it is given, and not at the first use."""
    with pytest.raises(TypeError, match=r"^Disk\(context=…\) takes a Context; received 5$"):
        make()


def test_an_object_may_start_unset_and_be_assigned_field_by_field() -> None:
    """Only what was assigned is set, and changed."""
    instance = Instance.unset(Context())
    instance.host = "node-7"
    assert instance.changes() == {"host": "node-7"}
    assert "uuid" not in repr(instance)


def test_an_object_made_by_hand_has_no_context() -> None:
    """The error says how to give it one."""
    with pytest.raises(NoContext, match="context=…"):
        _ = Instance(uuid=ID).context


def test_the_context_reaches_what_is_nested() -> None:
    """Objects inside containers have the context of the object that they came with."""
    context = Context(request_id="req-1")
    instance = Instance(uuid=ID, disks=[Disk(gigabytes=1)], spares={"a": Disk(gigabytes=2)}, context=context)
    assert instance.disks[0].context is context
    assert instance.spares["a"].context is context


def test_objects_are_equal_by_content() -> None:
    """Versions of one class with the same values are equal; contexts and changes do not matter."""
    assert Disk(gigabytes=1) == Disk(gigabytes=1, context=Context())
    assert Disk(gigabytes=1) != Disk(gigabytes=2)
    assert InstanceList(objects=[Instance(uuid=ID)]) == InstanceList(objects=[Instance(uuid=ID)])


def test_objects_that_are_equal_do_not_differ() -> None:
    """``!=`` is the opposite of ``==``, and goes by content too."""
    one, same, other = (Disk(gigabytes=size) for size in (1, 1, 2))
    assert (one != same) is False
    assert one != other
    assert one != 1


def test_a_list_of_objects_behaves_like_a_list() -> None:
    """It has a length, members, an order and slices."""
    items = [Instance(uuid=UUID(int=at)) for at in range(3)]
    instances = InstanceList(objects=items)
    assert (len(instances), list(instances), items[1] in instances) == (3, items, True)
    assert instances[0] is items[0]
    assert instances[1:] == items[1:]


def test_a_field_by_a_name_of_the_base_class_is_refused_at_definition() -> None:
    """The vocabulary of the base class is small, and its own."""
    with pytest.raises(ProjectError, match="Bad.a b: is no name that Python could say"):
        type(VersionedObject)("Bad", (VersionedObject,), {"__annotations__": {"a b": int}}, version="1.0")
    with pytest.raises(ProjectError, match="Bad.context: this name belongs to midflight"):

        class Bad(VersionedObject, version="1.0"):
            context: int  # type: ignore[assignment]


def test_a_newer_field_must_say_how_older_peers_live_without_it() -> None:
    """since= without a default, None or lazy is refused at definition."""
    with pytest.raises(ProjectError, match=r"Bad.size: has since='1.1' and does not say"):

        class Bad(VersionedObject, version="1.1"):
            size: int = field(since="1.1")


def test_a_type_that_cannot_travel_is_named_with_its_field() -> None:
    """The definition's error lists the types that can."""

    class Bad(VersionedObject, version="1.0"):
        what: complex

    with pytest.raises(ProjectError, match=r"Bad.what: type <class 'complex'> cannot travel: use bool"):
        Bad(what=1j)


def test_a_constrained_container_is_tracked_and_checked() -> None:
    """Bounds, lengths and patterns hold on assignment and on what arrives; changes in place are seen."""

    class Bag(VersionedObject, version="1.0"):
        things: Annotated[list[Disk], Meta(max_length=2)] = field(default_factory=list)
        share: Annotated[float, Meta(ge=0, le=1)] = 0.5
        name: Annotated[str, Meta(pattern="^[a-z]+$")] | None = None

    bag = Bag(things=[Disk(gigabytes=1)])
    bag.reset_changes()
    bag.things.append(Disk(gigabytes=2))
    assert list(bag.changes()) == ["things"]
    bag.reset_changes()
    bag.things[0].gigabytes = 3
    assert list(bag.changes()) == ["things"]
    for name, value, expected in (
        ("things", [Disk(gigabytes=1)] * 3, "at most 2 elements"),
        ("share", 2, "<= 1"),
        ("name", "A", "matching regex"),
    ):  # fmt: skip
        with pytest.raises(InvalidValue, match=f"Bag.{name}: received .*{expected}"):
            setattr(bag, name, value)
        plain = [wire.to_json(item) for item in value] if isinstance(value, list) else value
        sent = msgspec.msgpack.encode({"$": "Bag:1.0~", name: plain})
        with pytest.raises(InvalidValue, match=f"Bag.{name}: received .*{expected}"):
            wire.decode(sent, kind_of(Bag, object_kind, ""), path="Bag")
