"""Changes are seen wherever they are made."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from midflight.context import Context
from midflight.objects import tracking, wire
from midflight.objects.base import VersionedObject
from midflight.objects.registry import Registry
from tests.objects.sample import Disk, Instance, InstanceList

REGISTRY = Registry([Instance, Disk, InstanceList])


def clean() -> Instance:
    """An instance with something in every container, and no changes."""
    instance = Instance(
        uuid=UUID(int=7), tags=["a"], labels={"x": [1]}, disks=[Disk(gigabytes=1)], boot=Disk(gigabytes=2),
        spares={"s": Disk(gigabytes=3)},
    )  # fmt: skip
    instance.reset_changes()
    return instance


ACTS: list[tuple[Callable[[Instance], Any], str]] = [
    (lambda i: i.tags.append("b"), "tags"),
    (lambda i: i.labels.update(y=[]), "labels"),
    (lambda i: i.labels["x"].append(2), "labels"),
    (lambda i: setattr(i.boot, "gigabytes", 9), "boot"),
    (lambda i: setattr(i.disks[0], "gigabytes", 9), "disks"),
    (lambda i: i.disks.append(Disk(gigabytes=1)), "disks"),
    (lambda i: i.disks.pop(), "disks"),
    (lambda i: setattr(i.spares["s"], "encrypted", True), "spares"),
    (lambda i: i.spares.clear(), "spares"),
]
"""Changes in place, and the field that each changes."""


def test_a_new_object_is_all_change_and_a_reset_one_none() -> None:
    """Everything that construction set counts as changed."""
    instance = Instance(uuid=UUID(int=7))
    assert "memory_mb" in instance.changes()
    instance.reset_changes()
    assert instance.changes() == {}


def test_an_assignment_is_a_change_even_of_the_same_value() -> None:
    """Who assigns a value wants it saved."""
    instance = clean()
    instance.memory_mb = instance.memory_mb
    assert instance.changes() == {"memory_mb": 512}


def test_changes_in_place_are_seen_at_any_depth() -> None:
    """Lists, dicts, lists in dicts, nested objects, objects in lists and in dicts."""
    for change, name in ACTS:
        instance = clean()
        change(instance)
        assert list(instance.changes()) == [name]
        instance.reset_changes()
        assert instance.changes() == {}


def test_what_json_tells_apart_is_a_change_though_python_says_that_it_is_equal() -> None:
    """True, 1 and 1.0, in place and at any depth; what was changed and changed back is none, in whatever order."""

    class Note(VersionedObject, version="1.0"):
        meta: dict[str, Any]
        more: list[Any]
        anything: Any

    Registry([Note])
    note = Note(meta={"a": 1, "b": {"c": 0.0, "d": None}}, more=[1, (0,)], anything={"x": [1]})
    acts: list[tuple[Callable[[], Any], str]] = [
        (lambda: note.meta.update(a=True), 'meta["a"]'),
        (lambda: note.meta["b"].update(c=0), 'meta["b","c"]'),
        (lambda: note.more.__setitem__(0, True), "more"),
        (lambda: note.more.__setitem__(1, (False,)), "more"),
        (lambda: note.anything["x"].__setitem__(0, 1.0), 'anything["x"]'),
    ]
    for act, mark in acts:
        note.reset_changes()
        act()
        assert tracking.marks(note) == {mark}
    note.reset_changes()
    note.meta["a"] = note.meta.pop("a")
    assert note.changes() == {}


def test_a_clone_has_the_changes_of_the_original_and_none_after_it() -> None:
    """At any depth; what either changes afterwards is its own."""
    for change, name in ACTS:
        instance = clean()
        change(instance)
        copy = wire.clone(instance)
        assert copy == instance
        assert list(copy.changes()) == list(instance.changes()) == [name]
        for other, _ in ACTS[:4]:
            other(copy)
        assert list(instance.changes()) == [name]
        assert wire.clone(instance) == instance


def test_copies_of_many_keep_what_each_has_beside_its_fields() -> None:
    """Context and changes of the items of a list, whatever the others have."""
    who = Context(request_id="r")
    items = [Disk(gigabytes=1), Disk(gigabytes=2, context=who), Disk.unset(), wire.from_row(Disk, {"gigabytes": 4})]
    items.append(wire.from_row(Disk, {"gigabytes": 5, "encrypted": False}))
    copied = wire.clone(Instance(uuid=UUID(int=7), disks=items)).disks
    assert copied == items
    assert [disk.changes().keys() for disk in copied] == [disk.changes().keys() for disk in items]
    assert [disk._context for disk in copied] == [None, who, None, None, None]
    assert not {*map(id, items)} & {*map(id, copied)}


def test_changes_travel() -> None:
    """A receiver sees the same changes, in nested objects too, and what it changes itself."""
    instance = clean()
    instance.tags.append("b")
    instance.disks[0].gigabytes = 5
    received = wire.decode(wire.encode(instance), REGISTRY.kind(Instance))
    assert received == instance
    assert list(received.changes()) == ["tags", "disks"]
    assert received.disks[0].changes() == {"gigabytes": 5}
    received.labels["x"].append(2)
    assert list(received.changes()) == ["tags", "labels", "disks"]


def test_a_loaded_field_is_clean() -> None:
    """Changes to it afterwards are seen."""
    instance = clean()
    copy = wire.clone(instance)
    assert copy.changes() == {}
    copy.disks[0].encrypted = True
    assert list(copy.changes()) == ["disks"]
    assert instance.changes() == {}


@given(st.lists(st.sampled_from(["append", "pop", "assign", "nested", "reset", "travel"]), max_size=12))
def test_whatever_is_done_changes_name_exactly_the_fields_that_differ(acts: list[str]) -> None:
    """Against a model: a copy of the content at the last reset."""
    instance, touched = clean(), set[str]()
    before = wire.to_json(instance)
    for act in acts:
        if act == "append":
            instance.tags.append("t")
        elif act == "pop" and instance.disks:
            instance.disks.pop()
        elif act == "assign":
            instance.memory_mb = 7
            touched.add("memory_mb")
        elif act == "nested" and instance.boot:
            instance.boot.gigabytes += 1
            touched.add("boot")
        elif act == "reset":
            instance.reset_changes()
            before, touched = wire.to_json(instance), set()
        elif act == "travel":
            touched |= set(instance.changes())
            instance = wire.decode(wire.encode(instance), REGISTRY.kind(Instance))
    now = wire.to_json(instance)
    assert set(instance.changes()) == touched | {name for name in now if now[name] != before.get(name)}
