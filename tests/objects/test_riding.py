"""What a peer of a newer version says, and we do not know, reaches those who do; it is never saved here."""

from enum import Enum
from typing import Any

import msgspec
import pytest

from midflight.errors import InvalidValue, PinnedOut
from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.versions import Manifest


def world(minor: int) -> Any:
    """One release's classes: each minor version adds a field to Disk, which Host holds."""

    class Disk(VersionedObject, version=f"1.{minor}"):
        size: int
        if minor >= 1:
            speed: int = field(default=0, since="1.1")
        if minor >= 2:
            label: str = field(default="none", since="1.2")

    class Host(VersionedObject, version="1.0"):
        name: str
        disks: list[Disk] = field(default_factory=list)

    Host.__annotations__["disks"] = list[Disk]
    return Registry([Disk, Host])


OLD, MIDDLE, NEW = world(0), world(1), world(2)


def pass_on(value: Any, sender: Any, receiver: Any, name: str = "Disk", manifest: Manifest | None = None) -> Any:
    """One hop, as a sender encodes that knows the receiver to be no newer than itself."""
    data = wire.encode(value, manifest)
    return wire.decode(data, receiver.kind(receiver.get(name)), sender=sender.manifest, path="hop")


def new(**values: Any) -> Any:
    """A clean disk of the newest release."""
    disk = NEW.get("Disk")(**values)
    disk.reset_changes()
    return disk


def test_unknown_fields_ride_along_to_whoever_knows_them() -> None:
    """Through an old intermediary, alone and inside a list, natively and on the slow road; the context is no matter."""
    host = NEW.get("Host")(name="h", disks=[new(size=1, speed=2, label="root")])
    host.reset_changes()
    there = pass_on(host, NEW, OLD, "Host")
    assert there.disks == [OLD.get("Disk")(size=1)]
    assert (there.changes(), there.disks[0].changes()) == ({}, {})
    again = pass_on(wire.clone(there), OLD, OLD, "Host")
    again.name = "renamed"
    back = pass_on(again, OLD, NEW, "Host", OLD.manifest)
    assert back.disks == host.disks
    assert back.changes() == {"name": "renamed"}


def test_each_intermediary_takes_what_it_knows() -> None:
    """And the rest rides on."""
    middle = pass_on(pass_on(new(size=1, speed=2, label="root"), NEW, OLD), OLD, MIDDLE)
    assert (middle.speed, middle.changes()) == (2, {})
    middle.speed = 3
    end = pass_on(middle, MIDDLE, NEW)
    assert (end.speed, end.label, end.changes()) == (3, "root", {"speed": 3})


def test_what_rides_along_is_never_kept_nor_counted_as_content() -> None:
    """Not in rows, not at rest, not in equality and repr."""
    disk = pass_on(new(size=1, speed=2), NEW, OLD)
    assert (wire.to_row(disk), wire.to_json(disk)) == ({"size": 1}, {"$": "Disk:1.0", "size": 1})
    assert disk == OLD.get("Disk")(size=1)
    assert repr(disk) == "Disk(size=1)"


def test_a_change_that_rides_along_cannot_be_saved_by_who_does_not_know_it() -> None:
    """Asking for the changes is refused, also of the owner; whoever knows the field finds the change."""
    disk = new(size=1)
    disk.speed = 5
    there = pass_on(NEW.get("Host")(name="h", disks=[disk]), NEW, OLD, "Host")
    for held in (there, there.disks[0]):
        with pytest.raises(PinnedOut, match="Disk.speed, which a peer changed, needs Disk 1.2"):
            held.changes()
    back = pass_on(there, OLD, MIDDLE, "Host")
    assert back.disks[0].changes() == {"speed": 5}
    there.reset_changes()
    assert there.changes() == {}


@pytest.mark.parametrize(
    "riding",
    [3, [], {}, {"speed": 1}, {"$": 3}, {"$": "x"}, {"$": "1.1", "~": 3}, {"$": "1.1", "~": [3]}, {"$": "1.1", 3: 4}],
)
def test_a_wrong_form_of_what_rides_along_is_refused(riding: Any) -> None:
    """Where it is looked into; elsewhere it is passed on unopened."""
    form = msgspec.msgpack.encode({"$": "Disk:1.0", "size": 1, "+": riding})
    with pytest.raises(InvalidValue, match=r"Disk.\+: received .* expected fields that ride along"):
        wire.decode(form, MIDDLE.kind(MIDDLE.get("Disk")), path="Disk")
    with pytest.raises(InvalidValue, match=r"Disk.\+: received .* expected fields that ride along"):
        wire.decode(form, OLD.kind(OLD.get("Disk")), path="Disk")  # all else is right, and read at once


def test_a_newer_field_has_a_name() -> None:
    """What has none could not be said again when it rides on."""
    form = msgspec.msgpack.encode({"$": "Disk:1.2", "size": 1, 3: 4})
    with pytest.raises(InvalidValue, match="Disk: received 3 .*, expected the name of a field"):
        wire.decode(form, OLD.kind(OLD.get("Disk")), sender=NEW.manifest, path="Disk")


def test_a_field_that_rides_along_in_a_form_that_we_cannot_read_rides_on() -> None:
    """It is of a newer kind than ours."""
    form = {"$": "Disk:1.0", "size": 1, "+": {"$": "1.9", "speed": {"rpm": 3}, "label": "x"}}
    middle = wire.decode(msgspec.msgpack.encode(form), MIDDLE.kind(MIDDLE.get("Disk")))
    assert middle.speed == 0
    assert msgspec.msgpack.decode(wire.encode(middle))["+"] == form["+"]


class Mode(Enum):
    ON = "on"
    UNKNOWN = "unknown"


class NewMode(Enum):
    ON = "on"
    DIMMED = "dimmed"
    UNKNOWN = "unknown"


def lamps(modes: Any) -> Any:
    """One release's lamp."""

    class Lamp(VersionedObject, version="1.0"):
        mode: modes = field(default=modes.ON, fallback=modes.UNKNOWN)
        past: list[modes] = field(default_factory=list, fallback=modes.UNKNOWN)
        name: str = ""

    return Registry([Lamp])


def test_a_member_that_was_read_as_the_fallback_goes_on_as_it_came() -> None:
    """Through a peer that does not know it; never over what that peer has assigned."""
    old, new = lamps(Mode), lamps(NewMode)
    lamp = new.get("Lamp")(mode=NewMode.DIMMED, past=[NewMode.ON, NewMode.DIMMED])
    lamp.reset_changes()
    there = pass_on(lamp, new, old, "Lamp")
    assert (there.mode, there.past, there.changes()) == (Mode.UNKNOWN, [Mode.ON, Mode.UNKNOWN], {})
    there.name = "kitchen"
    back = pass_on(there, old, new, "Lamp")
    assert (back.mode, back.past, back.changes()) == (lamp.mode, lamp.past, {"name": "kitchen"})
    there.mode = Mode.ON
    assert pass_on(there, old, new, "Lamp").changes() == {"name": "kitchen", "mode": NewMode.ON}


def test_a_list_that_holds_what_was_read_as_the_fallback_cannot_be_changed_in_place() -> None:
    """To save it would write the fallback over what is kept."""
    old, new = lamps(Mode), lamps(NewMode)
    there = wire.from_row(old.get("Lamp"), {"mode": "on", "past": ["dimmed"], "name": ""})
    there.past.append(Mode.ON)
    for asked in (there.changes, lambda: wire.encode(there)):
        with pytest.raises(PinnedOut, match="a change in Lamp.past needs Lamp 1.0, whose members it holds"):
            asked()
    there.past = [Mode.ON]
    assert pass_on(there, old, new, "Lamp").past == [NewMode.ON]
