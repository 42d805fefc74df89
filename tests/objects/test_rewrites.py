"""Named backports and forwardports that refuse, lose something, or are wrong."""

import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from midflight import CannotBackport, VersionedObject, Wire, backport, field, forwardport, telemetry
from midflight.errors import PinnedOut, RewriteFailed
from midflight.objects import tracking, wire
from midflight.objects.registry import Registry
from midflight.versions import Manifest, Version


class Door(VersionedObject, version="1.2"):
    width: int
    lock: str = ""

    @backport(before="1.1", lossy=True)
    def locks_were_one(self, wire: Wire) -> None:
        """Before 1.1 a door was locked or not."""
        if self.lock == "glued":
            raise CannotBackport("it would say that a key opens it")
        wire["lock"] = "yes" if wire["lock"] else ""

    @backport(before="1.2")
    def doors_were_wide(self, wire: Wire) -> None:
        """Before 1.2 no door was narrow."""
        wire["width"] = {90: 90, 80: 90}[wire["width"]]

    @staticmethod
    @forwardport(since="1.1")
    def locks_became_many(wire: Wire) -> None:
        """Since 1.1 a lock has a name."""
        wire["lock"] = {"yes": "old", "": ""}[wire["lock"]]


class Safe(VersionedObject, version="1.1"):
    code: str = field(sensitive=True)

    @backport(before="1.1")
    def codes_were_numbers(self, wire: Wire) -> None:
        """Before 1.1 there were only digits."""
        wire["code"] = int(wire["code"])


class House(VersionedObject, version="1.0"):
    doors: list[Door]


OLDEST = Manifest({"Door": Version(1, 0), "House": Version(1, 0), "Safe": Version(1, 0)})
OLDER = Manifest({"Door": Version(1, 1)})


def test_a_named_backport_refuses_with_a_reason_alone() -> None:
    """The framework fills in what cannot be said to whom."""
    with pytest.raises(CannotBackport) as caught:
        wire.encode(House(doors=[Door(width=90, lock="glued")]), OLDEST)
    assert str(caught.value) == "Door 1.2 cannot be said in 1.0: it would say that a key opens it."
    assert caught.value.facts["target"] == "1.0"
    assert str(CannotBackport("why")) == "it as it is cannot be said in an older version: why."


def test_whatever_else_a_backport_raises_is_one_error_with_the_place() -> None:
    """A bare KeyError would name neither the object nor the step."""
    with pytest.raises(RewriteFailed) as caught:
        wire.encode(Door(width=70), OLDER)
    assert str(caught.value).startswith("Door: doors_were_wide failed to lead Door from 1.2 to 1.1: KeyError: 70. ")
    assert caught.traceback[-1].name == "doors_were_wide"


def test_whatever_a_forwardport_raises_is_one_error_with_the_path() -> None:
    """Its form is whatever an older peer sent."""
    old = {"$": "House:1.0", "doors": [{"$": "Door:1.0", "width": 90, "lock": "maybe"}]}
    with pytest.raises(RewriteFailed) as caught:
        wire.decode(msgspec.msgpack.encode(old), Registry([Door, House]).kind(House), path="sell(house)")
    failed = caught.value
    assert (failed.path, failed.rewrite, failed.error) == (
        "sell(house).doors[0]", "locks_became_many", "KeyError: 'maybe'",
    )  # fmt: skip
    assert (failed.object, failed.version, failed.target) == ("Door", "1.0", "1.1")


def test_the_mistake_of_a_rewrite_does_not_tell_a_sensitive_value() -> None:
    """Its text may quote it; its type and its place remain."""
    secret = "2".join(("hunter", ""))
    with pytest.raises(RewriteFailed) as caught:
        wire.encode(Safe(code=secret), OLDEST)
    assert caught.value.error == "ValueError"
    assert secret not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("manifest", "labels"), [(OLDEST, [{"lossy": "yes"}]), (OLDER, [{}])])
def test_a_lossy_backport_is_counted_apart(manifest: Manifest, labels: list[dict[str, str]]) -> None:
    """Where one was needed; others have no such label."""
    before, door = telemetry.counted(), Door(width=90, lock="a")
    door.reset_changes()
    wire.encode(door, manifest, peer=f"for {labels}")
    counted = [entry for entry in telemetry.counted() if entry not in before]
    assert [{"lossy": entry["lossy"]} if "lossy" in entry else {} for entry in counted] == labels


def test_what_a_lossy_backport_would_lose_of_a_change_is_refused() -> None:
    """A save is acknowledged whole or not at all; of what only is, an older peer may be told less."""
    door = Door(width=90, lock="a")
    for changed in (door, wire.clone(door)):
        with pytest.raises(PinnedOut, match="Door.lock = 'a' needs Door 1.1; the peer understands Door 1.0"):
            wire.encode(changed, OLDEST)
    wire.encode(door, OLDEST, where=wire.REPLY)
    with pytest.raises(PinnedOut):
        wire.to_json(door, OLDEST)
    door.reset_changes()
    door.width = 80
    wire.encode(door, OLDEST)


class Room(VersionedObject, version="1.3"):
    windows: list[Door] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    paint: str = ""
    carpet: str = ""

    @backport(before="1.3")
    def some_had_other_names(self, wire: Wire) -> None:
        """Before 1.3 windows were openings, notes were remarks, and paint was a colour."""
        wire["openings"], wire["remarks"] = wire.pop("windows"), wire.pop("notes")
        wire["colour"] = wire.pop("paint")

    @backport(before="1.2", lossy=True)
    def colours_were_two(self, wire: Wire) -> None:
        """Before 1.2 a room was dark or bright."""
        wire["colour"] = "dark" if wire["colour"] == "black" else "bright"

    @backport(before="1.1")
    def there_were_no_carpets(self, wire: Wire) -> None:
        """Before 1.1 nobody had a carpet, and remarks were a rug."""
        del wire["carpet"]
        wire["rug"] = wire.pop("remarks")

    @staticmethod
    @forwardport(since="1.3")
    def openings_are_windows(wire: Wire) -> None:
        """Since 1.3 openings are windows."""
        wire["windows"] = wire.pop("openings")


def room_for(minor: int, **changes: Any) -> Any:
    """What a peer with Room 1.minor is sent of a room that was loaded and changed."""
    room = Room(windows=[Door(width=90)], notes={"a": "b"})
    room.reset_changes()
    for name, value in changes.items():
        setattr(room, name, value)
    return plain(room, minor)


def plain(room: Room, minor: int) -> Any:
    """The wire form."""
    return msgspec.msgpack.decode(wire.encode(room, Manifest({"Room": Version(1, minor), "Door": Version(1, 2)})))


def test_a_change_moves_with_what_a_backport_renames() -> None:
    """Else an older conductor would acknowledge a save of nothing. It has changed in the same parts."""
    assert room_for(2, paint="red")["~"] == ["colour"]
    room = Room(windows=[Door(width=90)], notes={"a": "b"})
    room.reset_changes()
    room.windows[0].width = 80
    room.notes["c"] = "d"
    form = plain(room, 2)
    assert (form["~"], form["openings"][0]["~"]) == (["openings.*", 'remarks["c"]'], ["width"])
    assert room_for(2, carpet="wool")["~"] == ["carpet"]


class Desk(VersionedObject, version="1.1"):
    front: Door | None = None
    doors: list[Door] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @backport(before="1.1")
    def much_lay_together(self, wire: Wire) -> None:
        """Before 1.1 all doors were in one list, labels were notes, and these were counted."""
        wire["all_doors"] = [wire.pop("front"), *wire.pop("doors")]
        wire["notes"] = {**wire["notes"], **wire.pop("labels")}
        wire["count"] = len(wire["notes"])


def desk_for(change: Callable[[Desk], Any]) -> Any:
    """The wire form of a changed Desk, for a peer that has everything in one place."""
    desk = Desk(front=Door(width=90), doors=[Door(width=91)], labels={"a": "x"}, notes={"n": "y"})
    desk.reset_changes()
    change(desk)
    return msgspec.msgpack.decode(wire.encode(desk, Manifest({"Desk": Version(1, 0), "Door": Version(1, 2)})))


def test_a_change_moves_with_what_a_backport_merges() -> None:
    """In the same parts: what an older peer keeps beside them stays. What was computed has changed as a whole."""
    form = desk_for(lambda desk: setattr(desk.doors[0], "width", 80))
    assert (form["~"], [door.get("~") for door in form["all_doors"]]) == (
        ["all_doors.*", "count", "notes"], [None, ["width"]],
    )  # fmt: skip
    assert "all_doors.*" in desk_for(lambda desk: setattr(desk.front, "width", 80))["~"]
    assert 'notes["b"]' in desk_for(lambda desk: desk.labels.update(b="z"))["~"]
    assert 'notes["a"]' in desk_for(lambda desk: (desk.labels.update(b="z"), desk.labels.pop("a")))["~"]
    assert 'notes["n"]' in desk_for(lambda desk: desk.labels.update(n="z"))["~"]


def test_a_change_moves_with_what_a_forwardport_renames() -> None:
    """In the same parts, so that what the older form could not carry stays as it is kept."""
    form = room_for(2)
    kind = Registry([Door, Room]).kind(Room)
    back = wire.decode(msgspec.msgpack.encode(form | {"~": ["openings.*"]}), kind)
    assert tracking.marks(back) == {"windows.*"}


def test_a_changed_field_that_a_backport_takes_out_is_refused() -> None:
    """Whether it says that it is lossy or not, and by the name that the field has here."""
    assert "carpet" not in room_for(0)
    with pytest.raises(PinnedOut, match="Room.carpet = 'wool' needs Room 1.1; the peer understands Room 1.0"):
        room_for(0, carpet="wool")
    with pytest.raises(PinnedOut, match="Room.paint = 'red' needs Room 1.2; the peer understands Room 1.1"):
        room_for(1, paint="red")
