"""Only what has changed is brought onto the row, by path into nested objects and dicts; the rest stays as it is."""

from typing import Any

import msgspec
import pytest

from midflight.errors import Conflict, InvalidValue, UnknownField
from midflight.objects import wire
from midflight.objects.base import VersionedObject, backport
from midflight.objects.fields import field
from midflight.objects.marks import at, differing, field_of, of_fields, path_of
from midflight.objects.registry import Registry
from midflight.versions import Manifest


def release(minor: int) -> Any:
    """One release's classes. Part 1.1 adds ``extra``, and pauses what was called on."""

    class Part(VersionedObject, version=f"1.{minor}"):
        name: str = ""
        mode: str = "off"
        if minor >= 1:
            extra: str = field(default="", since="1.1")

            @backport(before="1.1")
            def paused_was_called_on(self, wire: dict[str, Any]) -> None:
                """Before 1.1 there was only on and off."""
                if wire["mode"] == "paused":
                    wire["mode"] = "on"

    class Thing(VersionedObject, version="1.0"):
        main: Any = None
        parts: list[Any] = field(default_factory=list)
        named: dict[str, Any] = field(default_factory=dict)
        meta: dict[str, Any] = field(default_factory=dict)
        secret: str = field(default="", sensitive=True)

    hints = {"main": Part | None, "parts": list[Part], "named": dict[str, Part]}
    Thing.__annotations__.update(hints)
    return Registry([Part, Thing])


OLD, NEW = release(0), release(1)
PART = {"$": "Part:1.1", "name": "a", "mode": "paused", "extra": "KEEP"}


def row(**columns: Any) -> dict[str, Any]:
    """What is kept."""
    return {"main": dict(PART), "parts": [dict(PART), dict(PART)], "named": {"x": dict(PART)}, "meta": {}} | columns


def loaded(kept: dict[str, Any], registry: Any = NEW) -> Any:
    """The thing of a row, through the wire: as an agent of a release has it."""
    there = wire.from_row(NEW.get("Thing"), kept)
    data = wire.encode(there, registry.manifest, where=wire.REPLY)
    return wire.decode(data, registry.kind(registry.get("Thing")), sender=NEW.manifest)


def saved(thing: Any, kept: dict[str, Any], registry: Any = NEW) -> dict[str, Any]:
    """The row after the conductor of the newest release has saved what an agent sent."""
    data = wire.encode(thing, registry.manifest)
    there = wire.decode(data, NEW.kind(NEW.get("Thing")), sender=registry.manifest)
    return kept | wire.to_row(there, only_changes=True, onto=kept)


def test_an_old_agents_change_inside_a_nested_object_keeps_what_it_never_saw() -> None:
    """What the backport left out or rewrote never comes home: in a field, in a list and in a dict."""
    kept = row()
    thing = loaded(kept, OLD)
    assert (thing.main.mode, hasattr(thing.main, "extra")) == ("on", False)
    for part in (thing.main, thing.parts[1], thing.named["x"]):
        part.name = "b"
    assert saved(thing, kept, OLD) == row(
        main=PART | {"name": "b"}, parts=[PART, PART | {"name": "b"}], named={"x": PART | {"name": "b"}}
    )


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda thing: thing.parts.append(OLD.get("Part")(name="new")), ["a", "b", "c", "new"]),
        (lambda thing: thing.parts.insert(0, OLD.get("Part")(name="new")), ["new", "a", "b", "c"]),
        (lambda thing: thing.parts.pop(1), ["a", "c"]),
        (lambda thing: thing.parts.reverse(), ["c", "b", "a"]),
        (lambda thing: setattr(thing, "parts", thing.parts[1:]), ["b", "c"]),
        (lambda thing: setattr(thing, "parts", [*thing.parts, OLD.get("Part")(name="new")]), ["a", "b", "c", "new"]),
    ],
)
@pytest.mark.parametrize("sent", [False, True])
def test_a_list_that_an_old_agent_made_longer_or_shorter_keeps_what_it_never_saw(
    change: Any, left: list[str], sent: bool
) -> None:
    """Those that were there are known by where they stood, whether the list was changed in place or assigned; also
    where it was sent before, and goes on changing there."""
    kept = row(parts=[PART | {"name": name, "extra": f"of {name}"} for name in "abc"])
    thing = loaded(kept, OLD)
    change(thing)
    if sent:
        kind = OLD.kind(OLD.get("Thing"))
        thing = wire.decode(wire.encode(thing), kind)
        thing.parts.append(OLD.get("Part")(name="later"))
        wire.encode(thing)
        thing.parts[0].mode = "off"
        left = [*left, "later"]
    known = {"a": "of a", "b": "of b", "c": "of c"}
    modes = ["off" if (sent and at == 0) or name not in known else "paused" for at, name in enumerate(left)]
    assert saved(thing, kept, OLD)["parts"] == [
        {"$": "Part:1.1", "name": name, "mode": mode, "extra": known.get(name, "")}
        for name, mode in zip(left, modes, strict=True)
    ]


def test_a_list_that_others_have_made_longer_or_shorter_is_a_conflict() -> None:
    """Nobody can say where the new one belongs; unless it was assigned without any that was there."""
    thing = loaded(row())
    thing.parts.append(NEW.get("Part")(name="new"))
    with pytest.raises(Conflict, match="Thing.parts is 3 elements, not 2 elements as the save expected"):
        saved(thing, row(parts=[PART, PART, PART]))
    thing.parts = [NEW.get("Part")(name="new")]
    assert len(saved(thing, row(parts=[PART, PART, PART]))["parts"]) == 1


@pytest.mark.parametrize(
    "said",
    ["[3,[0,9]]", "[2,[-1,0]]", "[2,[true,0]]", "[2,{}]", '["2",[0,1]]', "[2,[0]]", "[2]",
     pytest.param("[" * 100_000, id="deep")],
)  # fmt: skip
def test_an_order_that_makes_no_sense_stands_for_the_whole_list(said: str) -> None:
    """A peer may send anything."""
    kept = row()
    form = wire.to_json(loaded(kept))
    thing = wire.decode(msgspec.msgpack.encode(form | {"~": [f"parts{said}"]}), NEW.kind(NEW.get("Thing")))
    assert wire.to_row(thing, only_changes=True, onto=row(parts=[])) == {"parts": kept["parts"]}


def test_who_knows_an_object_as_its_base_changes_what_is_there_of_that() -> None:
    """The rest of it stays, in a field and in a list."""

    class Base(VersionedObject, version="1.0"):
        size: int = 1
        tags: list[str] = field(default_factory=list)

    class Special(Base, version="1.0"):
        speed: int = 1

    class Holder(VersionedObject, version="1.0"):
        main: Base
        more: list[Base]

    registry = Registry([Base, Special, Holder])
    older = Manifest({name: version for name, version in registry.manifest.items() if name != "Special"})
    kept = wire.to_row(Holder(main=Special(speed=7), more=[Special(speed=8), Base()]))
    data = wire.encode(wire.from_row(Holder, kept), older, where=wire.REPLY)
    holder = wire.decode(data, registry.kind(Holder))
    holder.main.size, holder.main.tags, holder.more[0].size = 2, ["a"], 3
    holder.more.append(Base(size=4))
    there = wire.from_row(Holder, kept | wire.to_row(holder, only_changes=True, onto=kept))
    assert there == Holder(
        main=Special(speed=7, size=2, tags=["a"]), more=[Special(speed=8, size=3), Base(), Base(size=4)]
    )


def test_what_was_assigned_replaces_what_was_kept() -> None:
    """Also by an old agent: a new part has nothing of the one before."""
    kept, thing = row(), loaded(row(), OLD)
    thing.main = OLD.get("Part")(name="new")
    assert saved(thing, kept, OLD)["main"] == {"$": "Part:1.1", "name": "new", "mode": "off", "extra": ""}
    thing.parts = []
    assert saved(thing, kept, OLD)["parts"] == []


def test_two_writers_of_one_dict_do_not_undo_each_other() -> None:
    """Keys that were set, removed, and set deep inside, each by its path."""
    kept = row(meta={"a": {"x": 1, "y": 1}, "b": 1, "c": 1})
    one, two = loaded(kept), loaded(kept)
    one.meta["a"]["x"] = 2
    del one.meta["b"]
    two.meta["a"]["y"] = 2
    two.meta["new"] = {"z": 1}
    assert saved(two, saved(one, kept))["meta"] == {"a": {"x": 2, "y": 2}, "c": 1, "new": {"z": 1}}


def test_a_dict_that_was_assigned_is_kept_as_it_is() -> None:
    """There is no path to look along."""
    kept = row(meta={"a": 1})
    thing = loaded(kept)
    thing.meta = {"b": 2}
    assert saved(thing, kept)["meta"] == {"b": 2}


def test_a_path_whose_place_is_gone_is_made_again() -> None:
    """Somebody removed the dict above it meanwhile, or put something else there."""
    thing = loaded(row(meta={"a": {"x": 1}}))
    thing.meta["a"]["x"] = 2
    for meanwhile in ({}, {"a": 3}):
        assert saved(thing, row(meta=meanwhile))["meta"] == {"a": {"x": 2}}


@pytest.mark.parametrize(
    ("later", "left"),
    [
        (lambda meta: meta.pop("a"), {}),
        (lambda meta: meta.update(a=5), {"a": 5}),
        (lambda meta: meta.update(a={"z": 3}), {"a": {"z": 3}}),
    ],
)
def test_what_was_changed_is_gone_before_it_is_saved(later: Any, left: Any) -> None:
    """Its account was sent meanwhile, to a conductor that did not answer: the later change covers the earlier one, in
    whatever order they are looked at."""
    for mark in (f"k{number}" for number in range(8)):  # sets are in an order of their own in each process
        kept = row(meta={"a": {mark: 1, "y": 1}})
        thing = loaded(kept)
        thing.meta["a"][mark] = 2
        wire.encode(thing)
        later(thing.meta)
        assert saved(thing, kept)["meta"] == left


def test_what_others_removed_is_not_made_again_by_removing_something_in_it() -> None:
    """Not even as an empty dict."""
    thing = loaded(row(meta={"a": {"x": 1}}))
    del thing.meta["a"]["x"]
    for meanwhile in ({}, {"a": 3}):
        assert saved(thing, row(meta=dict(meanwhile)))["meta"] == meanwhile


def test_an_object_is_added_to_a_dict_of_them_in_which_another_one_changes() -> None:
    """Whatever they are called."""
    for name in (f"y{number}" for number in range(8)):
        thing = loaded(row())
        thing.named[name] = NEW.get("Part")(name="new")
        thing.named["x"].name = "b"
        new = {"$": "Part:1.1", "name": "new", "mode": "off", "extra": ""}
        assert saved(thing, row())["named"] == {"x": PART | {"name": "b"}, name: new}


def test_a_change_inside_one_object_does_not_mind_that_another_one_is_gone() -> None:
    """In a dict each has a name of its own."""
    thing = loaded(row(named={"x": PART, "y": PART}))
    thing.named["x"].name = "b"
    assert saved(thing, row())["named"] == {"x": PART | {"name": "b"}}


def test_a_change_inside_an_object_in_whose_place_another_one_is_by_now_is_a_conflict() -> None:
    """Where it has a field that is assigned once, and differs; in a list, whose length is the same, and alone."""

    class Disk(VersionedObject, version="1.0"):
        serial: int = field(read_only=True)
        size: int = 1

    class Machine(VersionedObject, version="1.0"):
        root: Disk
        disks: list[Disk]

    Registry([Disk, Machine])
    first, second = ({"$": "Disk:1.0", "serial": serial, "size": 1} for serial in (1, 2))
    for change, kept in (
        (lambda machine: machine.disks[0], {"root": first, "disks": [second, first]}),
        (lambda machine: machine.root, {"root": second, "disks": [first, second]}),
    ):
        machine = wire.from_row(Machine, {"root": first, "disks": [first, second]})
        change(machine).size = 2
        with pytest.raises(Conflict, match="Disk.serial is 2, not 1 as the save expected"):
            wire.to_row(machine, only_changes=True, onto=kept)
        assert wire.to_row(machine, only_changes=True, onto={"root": first, "disks": [first, second]})


def test_a_change_inside_that_has_no_place_any_more_is_a_conflict() -> None:
    """The list is shorter by now, or the key is gone: nobody can say which one was meant."""
    thing = loaded(row())
    thing.parts[1].name = "b"
    with pytest.raises(Conflict, match="Thing.parts is 1 elements, not 2 elements as the save expected"):
        saved(thing, row(parts=[PART]))
    thing = loaded(row())
    thing.named["x"].name = "b"
    with pytest.raises(Conflict, match="Thing.named"):
        saved(thing, row(named={}))


def test_without_the_row_a_column_is_written_as_a_whole() -> None:
    """With all that the object knows."""
    thing = loaded(row())
    thing.main.name = "b"
    assert wire.to_row(thing, only_changes=True) == {"main": PART | {"name": "b"}}


def test_an_expected_value_is_compared_as_the_field_means_it() -> None:
    """Coerced on both sides; the error names the field, and hides what is sensitive."""
    cls = NEW.get("Thing")
    wire.check_expected(cls, {"secret": "x", "meta": {"a": 1}}, {"secret": "x", "meta": {"a": 1}})
    with pytest.raises(Conflict) as caught:
        wire.check_expected(cls, {"secret": "hunter2"}, {"secret": "swordfish"})
    assert "hunter2" not in str(caught.value)
    assert "swordfish" not in str(caught.value)
    with pytest.raises(UnknownField):
        wire.check_expected(cls, {}, {"nosuch": 1})
    with pytest.raises(InvalidValue):
        wire.check_expected(cls, {"secret": "x"}, {"secret": []})


@pytest.mark.parametrize(
    ("value", "before", "paths"),
    [
        ({"a": 1}, {"a": 1}, set()),
        ({"a": 2}, {"a": 1, "b": 1}, {("a",), ("b",)}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {("a", "y")}),
        ({"a": [1]}, {"a": [2]}, {("a",)}),
        ({1: 2}, {1: 3}, {()}),
        ([1], [2], {()}),
    ],
)
def test_the_paths_at_which_two_values_differ(value: Any, before: Any, paths: set[Any]) -> None:
    """Into dicts with text for keys; of all else the value as a whole."""
    assert set(differing(value, before)) == paths


def test_a_mark_says_its_field_and_its_path() -> None:
    """Whatever the keys are; what a peer made up is a change of the whole field."""
    path = ('a.b["', "*", "")
    assert (field_of(at("meta", path)), path_of(at("meta", path))) == ("meta", path)
    assert (field_of("disks.*"), path_of("disks.*"), path_of("meta[x")) == ("disks", (), ())
    assert of_fields({"*", "a", 'b["c"]', "d.*"}, {"b", "d"}) == {"*", 'b["c"]', "d.*"}
