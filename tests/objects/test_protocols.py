"""What Python itself does with objects: copy, delete, pickle, inherit; tracking holds through all of it."""

import copy
import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from itertools import permutations
from typing import Any

import msgspec
import pytest

from midflight.context import Context
from midflight.errors import InvalidValue, NoContext, ProjectError, ReadOnlyField
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.contract import object_in_words
from midflight.objects.fields import field
from midflight.objects.lists import ObjectList
from midflight.objects.registry import Registry
from tests.objects.sample import Disk, Instance


def instance(**values: Any) -> Instance:
    """A clean one."""
    made = Instance(uuid="00000000-0000-0000-0000-000000000007", **values)
    made.reset_changes()
    return made


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, wire.clone])
def test_a_copy_shares_nothing_and_has_its_own_account(copied: Any) -> None:
    """Whoever makes it; context and changes come along."""
    one = instance(tags=["a"], spares={"x": Disk(gigabytes=1)})
    one.host, one.boot = "h", Disk(gigabytes=2)
    twin = copied(one)
    assert (twin, twin.changes()) == (one, one.changes())
    twin.tags.append("b")
    twin.spares["x"].gigabytes = 9
    assert (one.tags, one.spares["x"].gigabytes, set(one.changes())) == (["a"], 1, {"host", "boot"})
    assert set(twin.changes()) == {"host", "boot", "tags", "spares"}


def test_a_copy_of_a_partly_loaded_object_is_partly_loaded() -> None:
    """Unset stays unset."""
    part = Instance.unset(Context())
    part.tags = ["a"]
    twin = copy.copy(part)
    assert ([n for n in ("tags", "host") if twin.is_set(n)], twin.tags, twin.context) == (["tags"], ["a"], part.context)


def test_fields_cannot_be_deleted_and_objects_not_pickled() -> None:
    """Each is told the way out."""
    with pytest.raises(TypeError, match="Instance.host cannot be deleted: assign None"):
        del instance().host
    with pytest.raises(TypeError, match="Instance is never pickled"):
        pickle.dumps(instance())


def test_what_was_put_into_a_container_is_checked_at_the_edge() -> None:
    """When changes are asked for, and when it is sent; what fits is coerced, in the same container."""
    one = instance(labels={})
    tags = one.tags
    tags.append(5)  # type: ignore[arg-type]  # what a caller without a checker would do
    assert one.changes() == {"tags": ["5"]}
    assert one.tags is tags
    one.labels["a"] = ["x"]  # type: ignore[list-item]
    for asked in (one.changes, lambda: wire.encode(one)):
        with pytest.raises(InvalidValue, match=r"Instance.labels\['a'\]\[0\]: received 'x'"):
            asked()


def test_a_read_only_container_cannot_be_changed_in_place() -> None:
    """Once it was kept."""

    class Sealed(VersionedObject, version="1.0"):
        names: list[str] = field(read_only=True)

    sealed = Sealed(names=["a"])
    sealed.names.append("b")
    sealed.reset_changes()
    sealed.names.append("c")
    with pytest.raises(ReadOnlyField, match="Sealed.names"):
        sealed.changes()


def test_a_nested_object_takes_the_context_of_whom_it_is_assigned_to() -> None:
    """It can be saved like one that was loaded."""
    one = Instance.unset(Context())
    boot = Disk(gigabytes=1)
    with pytest.raises(NoContext):
        _ = boot.context
    one.boot = boot
    assert boot.context is one.context


def test_anything_in_a_field_of_any_type_is_tracked_and_copied() -> None:
    """To any depth; a versioned object needs a field of its own type."""

    class Loose(VersionedObject, version="1.0"):
        what: Any = None

    given: dict[str, Any] = {"k": {"z": [1]}}
    loose = Loose(what=given)
    loose.reset_changes()
    given["k"]["z"].append(2)
    assert loose.what == {"k": {"z": [1]}}
    loose.what["k"]["z"].append(3)
    assert loose.changes() == {"what": {"k": {"z": [1, 3]}}}
    for wrong in (Disk(gigabytes=1), [Disk(gigabytes=1)], float("nan")):
        with pytest.raises(InvalidValue, match="Loose.what"):
            loose.what = wrong


@pytest.mark.parametrize("order", [*permutations(["Base", "Sub", "Part"])])
def test_inherited_fields_mean_the_same_in_whatever_order_classes_are_compiled(order: tuple[str, ...]) -> None:
    """In words, in values, and on the wire."""

    class Part(VersionedObject, version="1.0"):
        size: int

    class Base(VersionedObject, version="1.0"):
        part: Part | None = None
        address: IPv4Address | IPv6Address | None = None
        ratio: float = 0.0
        at: datetime | None = None
        tags: list[str] = field(default_factory=list)

    class Sub(Base, version="1.0"):
        more: int = 0

    Base.__annotations__["part"] = Part | None
    classes = {"Base": Base, "Sub": Sub, "Part": Part}
    registry = Registry([classes[name] for name in order])
    assert object_in_words(Sub)["fields"] == object_in_words(Base)["fields"] | {"more": "int, default 0"}
    sub = Sub(part=Part(size=1), address="::1", ratio=float("inf"), tags=["a"])
    there = wire.decode(wire.encode(sub), registry.kind(Sub))
    assert there == sub
    there.reset_changes()
    there.tags.append("b")
    assert set(there.changes()) == {"tags"}


def test_a_list_of_a_list_class_may_be_derived_from() -> None:
    """Its items are the same."""

    class DiskList(ObjectList[Disk], version="1.0"):
        pass

    class NamedDiskList(DiskList, version="1.0"):
        name: str = ""

    Registry([Disk, DiskList, NamedDiskList])
    assert list(NamedDiskList(objects=[Disk(gigabytes=1)], name="x")) == [Disk(gigabytes=1)]


@pytest.mark.parametrize("default", ["abc", [Disk(gigabytes=1)]])
def test_a_default_that_does_not_fit_is_a_mistake_of_the_definition(default: Any) -> None:
    """Found when the project is built, not when somebody makes an object."""

    class Wrong(VersionedObject, version="1.0"):
        number: int = field(default=default)

    with pytest.raises(ProjectError, match="Wrong.number: its default does not fit"):
        Registry([Wrong])


def test_a_sensitive_default_that_does_not_fit_is_not_shown() -> None:
    """The mistake is named, and the secret is not."""

    class Safe(VersionedObject, version="1.0"):
        code: int = field(default="hunter2", sensitive=True)  # type: ignore[assignment]  # the mistake

    with pytest.raises(ProjectError, match="Safe.code: its default does not fit") as caught:
        Registry([Safe])
    assert "hunter2" not in str(caught.value)


def test_a_default_that_can_change_would_be_shared() -> None:
    """A factory is asked for."""

    class Shared(VersionedObject, version="1.0"):
        disk: Disk | None = field(default=Disk(gigabytes=1))

    with pytest.raises(ProjectError, match=r"Shared.disk: its default would be shared: give field\(default_factory"):
        Registry([Disk, Shared])


def test_values_that_no_type_can_hold_are_refused_by_name() -> None:
    """Times beyond the calendar, durations beyond all measure, numbers that are none: assigned, and from the wire."""

    class Limits(VersionedObject, version="1.0"):
        at: datetime | None = None
        lasts: timedelta | None = None
        price: Decimal | None = None

    wrongs = {"at": "9999-12-31T23:59:59-10:00", "lasts": 1e300, "price": "sNaN"}
    for name, value in wrongs.items():
        with pytest.raises(InvalidValue, match=f"Limits.{name}"):
            Limits(**{name: value})
    kind = Registry([Limits]).kind(Limits)
    with pytest.raises(InvalidValue, match=r"Limits\.price"):
        wire.decode(msgspec.msgpack.encode({"$": "Limits:1.0~", "price": "sNaN"}), kind, path="Limits")
    assert Limits(at=datetime(2026, 1, 1, tzinfo=UTC)).price is None


def test_a_sensitive_value_is_in_no_error() -> None:
    """Neither a refused transition nor a malformed form shows what was inside."""

    class Vault(VersionedObject, version="1.0"):
        state: str = field(default="a", sensitive=True, transitions={"a": ["b"]})

    class Owner(VersionedObject, version="1.0"):
        vault: Vault | None = None
        number: int = 0

    Owner.__annotations__["vault"] = Vault | None
    vault = Vault()
    with pytest.raises(InvalidValue) as caught:
        vault.state = "hunter2"
    assert "hunter2" not in str(caught.value)
    kind = Registry([Vault, Owner]).kind(Owner)
    for form in ({"vault": {"state": "hunter2"}}, {"number": {"state": "hunter2"}}, {"number": ["hunter2"]}):
        with pytest.raises(InvalidValue) as caught:
            wire.decode(msgspec.msgpack.encode({"$": "Owner:1.0~", **form}), kind)
        assert "hunter2" not in str(caught.value)
