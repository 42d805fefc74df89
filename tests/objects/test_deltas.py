"""Only what has changed is brought onto the row, by path into nested objects and dicts; the rest stays as it is."""

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midflight.errors import Conflict, InvalidValue, UnknownField
from midflight.objects import wire
from midflight.objects.base import VersionedObject, backport
from midflight.objects.fields import field
from midflight.objects.marks import at, differing, field_of, of_fields, path_of
from midflight.objects.registry import Registry
from midflight.objects.types import Codec
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


@pytest.mark.parametrize("first", ["", "inside", "order"])
def test_a_list_whose_order_is_said_is_one_that_was_assigned(first: str) -> None:
    """Older conductors know no order; whatever has changed inside, they keep the whole list."""
    thing = loaded(row())
    if first == "inside":
        thing.parts[0].name = "b"
    elif first == "order":
        thing.parts.append(NEW.get("Part")(name="new"))
    if first:
        wire.encode(thing)
    thing.parts.pop()
    thing.parts[0].name = "c"
    form = msgspec.msgpack.decode(wire.encode(thing))
    assert form["~"] == ["parts", "parts[2,[0,1]]" if first == "order" else "parts[2,[0]]"]
    assert form["parts"][0]["~"] == ["name"]


def test_a_list_that_others_have_made_longer_or_shorter_is_a_conflict() -> None:
    """Nobody can say where the new one belongs; unless it was assigned without any that was there."""
    thing = loaded(row())
    thing.parts.append(NEW.get("Part")(name="new"))
    with pytest.raises(Conflict, match="Thing.parts is 3 elements, not 2 elements as the save expected"):
        saved(thing, row(parts=[PART, PART, PART]))
    thing.parts = [NEW.get("Part")(name="new")]
    assert len(saved(thing, row(parts=[PART, PART, PART]))["parts"]) == 1


def named_parts(names: str) -> list[dict[str, Any]]:
    """As they are kept; the extra tells whether one was taken for another."""
    return [PART | {"name": name, "extra": f"of {name}"} for name in names]


def names_in(kept: dict[str, Any]) -> str:
    """Of the parts in a row."""
    return "".join(part["name"] for part in kept["parts"])


@pytest.mark.parametrize("registry", [OLD, NEW])
def test_of_two_writers_who_both_move_what_is_in_a_list_the_later_one_hears_of_it(registry: Any) -> None:
    """Its length is the same again, and another one stands at the place of one that is to stay."""
    kept = row(parts=named_parts("ab"))
    one, two = loaded(kept, registry), loaded(kept, registry)
    for thing, name in ((one, "x"), (two, "y")):
        thing.parts.pop(0)
        thing.parts.append(registry.get("Part")(name=name))
    kept = saved(one, kept, registry)
    assert names_in(kept) == "bx"
    with pytest.raises(Conflict, match=r"Thing.parts\[1\].name is 'x', not 'b' as the save expected"):
        saved(two, kept, registry)
    two = loaded(kept, registry)
    two.parts.append(registry.get("Part")(name="y"))
    assert [part["extra"] for part in saved(two, kept, registry)["parts"]] == ["of b", "", ""]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda parts, new: parts.append(new), "abx"),
        (lambda parts, new: parts.__setitem__(0, new), "xb"),
        (lambda parts, new: parts.reverse(), "ba"),
        (lambda parts, new: parts.pop(0), "b"),
        (lambda parts, new: (setattr(parts[0], "name", "c"), parts.insert(0, new)), "xcb"),
    ],
)
@pytest.mark.parametrize("registry", [OLD, NEW])
def test_a_list_that_is_saved_twice_is_as_after_once(change: Any, left: str, registry: Any) -> None:
    """The first save ran, and nobody heard of it."""
    kept = row(parts=named_parts("ab"))
    thing = loaded(kept, registry)
    change(thing.parts, registry.get("Part")(name="x"))
    once = saved(thing, kept, registry)
    assert names_in(once) == left
    assert saved(thing, once, registry) == once


def test_what_others_changed_in_an_object_that_stays_in_a_list_is_a_conflict() -> None:
    """It may be another one: the list may have changed as well. What the sender has changed there itself is brought,
    and what an older one was not told stays."""
    kept = row(parts=named_parts("ab"))
    for registry, meanwhile, refused in (
        (NEW, {"name": "c"}, "name is 'c', not 'a'"), (NEW, {"extra": "!"}, "extra is '!', not 'of a'"),
        (OLD, {"name": "c"}, "name is 'c', not 'a'"), (OLD, {"mode": "off"}, "mode is 'off', not 'on'"),
        (OLD, {"extra": "!"}, ""),
    ):  # fmt: skip
        thing = loaded(kept, registry)
        thing.parts.pop(1)
        now = row(parts=[kept["parts"][0] | meanwhile, kept["parts"][1]])
        if refused:
            with pytest.raises(Conflict, match=rf"Thing.parts\[0\].{refused} as the save expected"):
                saved(thing, now, registry)
        else:
            assert saved(thing, now, registry)["parts"] == now["parts"][:1]
        for name in meanwhile.keys() - {"extra"}:
            setattr(thing.parts[0], name, "d")
            assert saved(thing, now, registry)["parts"] == [now["parts"][0] | {name: "d"}]


def test_an_object_of_another_class_in_the_place_of_one_that_stays_is_a_conflict() -> None:
    """Whatever it holds."""

    class Animal(VersionedObject, version="1.0"):
        name: str = ""

    class Cat(Animal, version="1.0"):
        pass

    class Dog(Animal, version="1.0"):
        pass

    class House(VersionedObject, version="1.0"):
        animals: list[Animal]

    Registry([Animal, Cat, Dog, House])
    house = wire.from_row(House, wire.to_row(House(animals=[Cat()])))
    house.animals.append(Dog())
    with pytest.raises(Conflict, match=r"House.animals\[0\] is of Dog, not of Cat as the save expected"):
        wire.to_row(house, only_changes=True, onto=wire.to_row(House(animals=[Dog()])))


def test_an_object_in_an_object_in_a_list_is_seen_in_the_version_of_who_saves() -> None:
    """What its older form lacks makes no other object of it, also where a copy of it is saved."""

    class Old:
        class Flavor(VersionedObject, version="1.0"):
            cpus: int

        class Disk(VersionedObject, version="1.0"):
            flavor: Any = None

        class Machine(VersionedObject, version="1.0"):
            disks: Any = field(default_factory=list)

    class New:
        class Flavor(VersionedObject, version="1.1"):
            cpus: int
            extra: str = field(default="", since="1.1")

        class Disk(VersionedObject, version="1.0"):
            flavor: Any = None

        class Machine(VersionedObject, version="1.0"):
            disks: Any = field(default_factory=list)

    for release in (Old, New):
        release.Disk.__annotations__["flavor"] = release.Flavor | None
        release.Machine.__annotations__["disks"] = list[release.Disk]  # type: ignore[name-defined]  # made above
    old, new = (Registry([release.Flavor, release.Disk, release.Machine]) for release in (Old, New))
    kept = wire.to_row(New.Machine(disks=[New.Disk(flavor=New.Flavor(cpus=1, extra="x"))]))
    reply = wire.encode(wire.from_row(New.Machine, kept), old.manifest, where=wire.REPLY)
    machine = wire.decode(reply, old.kind(Old.Machine), sender=new.manifest)
    machine.disks.append(Old.Disk())
    there = wire.decode(wire.encode(machine), new.kind(New.Machine), sender=old.manifest)
    for sent in (there, wire.clone(there)):
        disks = wire.to_row(sent, only_changes=True, onto=kept)["disks"]
        assert disks == [*kept["disks"], {"$": "Disk:1.0", "flavor": None}]


def test_what_was_saved_since_an_object_was_read_from_an_older_row_stays() -> None:
    """Where the database is, an object is saved more than once; its newer fields count as the row's."""
    older = {key: value for key, value in PART.items() if key != "extra"} | {"$": "Part:1.0"}
    kept = row(parts=[older])
    thing = wire.from_row(NEW.get("Thing"), kept)
    thing.parts[0].extra = "y"
    kept |= wire.to_row(thing, only_changes=True, onto=kept)
    thing.reset_changes()
    thing.parts.append(NEW.get("Part")(name="new"))
    kept |= wire.to_row(thing, only_changes=True, onto=kept)
    assert [part["extra"] for part in kept["parts"]] == ["y", ""]


EDITS = st.lists(st.tuples(st.sampled_from(["pop", "new", "swap", "mode", "assign", "send"]), st.integers(0, 2)))


def edit(thing: Any, what: str, place: int, new: Any) -> None:
    """One change of its parts, or of one of them; or its account travels."""
    parts = thing.parts
    if what == "pop":
        del parts[place : place + 1]
    elif what == "new":
        parts.insert(place, new)
    elif what == "swap":
        parts[:2] = parts[1::-1]
    elif what == "mode" and place < len(parts):
        parts[place].mode = "off"
    elif what == "assign":
        thing.parts = parts[place:] + parts[:place]
    elif what == "send":
        wire.encode(thing)


@given(writers=st.lists(st.tuples(st.sampled_from([OLD, NEW]), EDITS, st.booleans()), min_size=2, max_size=3))
@settings(deadline=None)
def test_writers_of_one_list_take_no_object_for_another(writers: list[Any]) -> None:
    """Each has loaded the same, makes the list another one, and changes what is in it. Who is not refused finds its own
    list in the row, where each object has the extra that it was made with; to save that again changes nothing."""
    kept = row(parts=named_parts("abc"))
    things = [loaded(kept, registry) for registry, _, _ in writers]
    for number, (thing, (registry, edits, again)) in enumerate(zip(things, writers, strict=True)):
        for count, (what, place) in enumerate([*edits, ("new", 2)]):
            edit(thing, what, place, registry.get("Part")(name=f"{number}.{count}"))
        wanted = [(part.name, part.mode.replace("paused", "on")) for part in thing.parts]
        try:
            now = saved(thing, kept, registry)
        except Conflict:
            continue
        assert [(part["name"], part["mode"].replace("paused", "on")) for part in now["parts"]] == wanted
        assert all(part["extra"] == (f"of {part['name']}" if part["name"] in "abc" else "") for part in now["parts"])
        kept = saved(thing, now, registry) if again else now
        assert kept == now


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


def test_an_object_that_changed_inside_is_moved_to_another_key() -> None:
    """There it is with what has changed in it."""

    class Disk(VersionedObject, version="1.0"):
        size: int

    class Machine(VersionedObject, version="1.0"):
        disks: list[Disk]

    class Rack(VersionedObject, version="1.0"):
        machines: dict[str, Machine]

    Registry([Disk, Machine, Rack])
    kept = wire.to_row(Rack(machines={"x": Machine(disks=[Disk(size=1)])}))
    rack = wire.from_row(Rack, kept)
    moved = rack.machines.pop("x")
    moved.disks.append(Disk(size=2))
    rack.machines["y"] = moved
    now = kept | wire.to_row(rack, only_changes=True, onto=kept)
    assert wire.from_row(Rack, now) == Rack(machines={"y": Machine(disks=[Disk(size=1), Disk(size=2)])})


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


def test_what_is_in_an_object_or_compares_by_identity_tells_no_other_object() -> None:
    """Where such a field is assigned once, and others change something in it, both changes are kept."""

    class Flavor(VersionedObject, version="1.0"):
        name: str = ""
        extra: str = ""

    class Vendor:
        def __init__(self, name: str) -> None:
            self.name = name

    codec = Codec(lambda vendor: vendor if isinstance(vendor, Vendor) else Vendor(vendor), lambda v: v.name, Vendor)

    class Disk(VersionedObject, version="1.0"):
        flavor: Flavor = field(read_only=True)
        vendor: Annotated[Vendor, codec] = field(read_only=True)
        size: int = 1

    class Machine(VersionedObject, version="1.0"):
        root: Disk

    Registry([Flavor, Disk, Machine])
    kept = wire.to_row(Machine(root=Disk(flavor=Flavor(), vendor=Vendor("v"))))
    one, two, three = (wire.from_row(Machine, kept) for _ in range(3))
    one.root.flavor.extra = "x"
    two.root.size = 2
    for machine in (one, two):
        kept |= wire.to_row(machine, only_changes=True, onto=kept)
    root = wire.from_row(Machine, kept).root
    assert (root.flavor.extra, root.size) == ("x", 2)
    kept["root"]["vendor"] = "w"
    three.root.size = 3
    with pytest.raises(Conflict, match="Disk.vendor is"):
        wire.to_row(three, only_changes=True, onto=kept)


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
