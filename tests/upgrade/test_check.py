"""`release check` on objects: what an older peer would not survive, and what is properly bumped."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from midflight.context import Context
from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field, lazy
from midflight.objects.remote import remotable
from midflight.upgrade.check import check
from tests.upgrade.two_codes import checked, only, project


class Disk(VersionedObject, version="1.0"):
    gigabytes: int
    label: str = "disk"


FIRST = Disk


def test_unchanged_code_passes(tmp_path: Path) -> None:
    """And says what it was compared with."""
    found = checked(tmp_path, [Disk], [Disk])
    assert (found.findings, found.raised, found.window.names) == ((), (), "r1")


def test_nothing_frozen_is_nothing_to_break(tmp_path: Path) -> None:
    """The window is empty."""
    found = check(project(tmp_path, [Disk]))
    assert (found.findings, found.window.releases, found.window.code) == ((), (), "unreleased")


def test_a_new_field_with_since_and_a_new_version_passes(tmp_path: Path) -> None:
    """That is what a minor version is for."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"
        encrypted: bool = field(since="1.1", default=False)
        parts: list[str] = lazy(since="1.1")

    found = checked(tmp_path, [FIRST], [Disk])
    assert (found.findings, found.raised) == ((), ("Disk 1.0 → 1.1",))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_field_added_without_since_is_found(tmp_path: Path, version: str) -> None:
    """Whether the version was raised or not; the suggestion says how to live without it."""

    class Disk(VersionedObject, version=version):
        gigabytes: int
        label: str = "disk"
        owner: str

    finding = only(checked(tmp_path, [FIRST], [Disk]))
    assert (finding.category, finding.path, finding.change) == ("wire", "Disk.owner", "added without since")
    assert finding.due.startswith("Disk 1.1")
    assert '    owner: str | None = field(default=None, since="1.1")' in finding.suggestion
    assert ("class Disk" in finding.suggestion) is (version == "1.0")


def test_a_field_whose_since_was_released_without_it_is_found(tmp_path: Path) -> None:
    """A peer of that version does not have it."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"
        owner: str | None = field(since="1.0", default=None)

    assert only(checked(tmp_path, [FIRST], [Disk])).change == "added with since 1.0"


def test_a_field_that_moves_its_since_is_found(tmp_path: Path) -> None:
    """A peer that has it would not be sent it any more."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = field(since="1.1", default="disk")

    finding = only(checked(tmp_path, [FIRST], [Disk]))
    assert (finding.path, finding.change) == ("Disk.label", "said to exist since 1.1")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_field_removed_without_a_tombstone_is_found(tmp_path: Path, version: str) -> None:
    """The suggestion is the tombstone."""

    class Disk(VersionedObject, version=version):
        gigabytes: int

    finding = only(checked(tmp_path, [FIRST], [Disk]))
    assert (finding.path, finding.change) == ("Disk.label", "removed without a tombstone")
    assert '    label: str = field(default="disk", until="1.1")' in finding.suggestion


def test_a_removed_field_that_a_backport_puts_back_passes(tmp_path: Path) -> None:
    """Older peers get what they expect."""

    class Disk(VersionedObject, version="2.0"):
        gigabytes: int

        @backport(before="2.0")
        def there_was_a_label(self, wire: Wire) -> None:
            """Before 2.0 each disk had a label."""
            wire["label"] = "disk"

    assert not checked(tmp_path, [FIRST], [Disk]).findings


def test_a_field_made_required_is_found_until_the_version_is_raised(tmp_path: Path) -> None:
    """Bytes are the same: it is the code that breaks."""

    class Disk(VersionedObject, version="1.0"):
        gigabytes: int
        label: str

    finding = only(checked(tmp_path / "a", [FIRST], [Disk]))
    assert (finding.category, finding.change, finding.due) == ("code", "made required", "Disk 1.1")
    assert finding.suggestion == 'class Disk(VersionedObject, version="1.1"):'

    class Disk(VersionedObject, version="1.1"):  # type: ignore[no-redef]
        gigabytes: int
        label: str

    assert not checked(tmp_path / "b", [FIRST], [Disk]).findings


def test_a_changed_default_is_found(tmp_path: Path) -> None:
    """Two codes of one version would mean different things by leaving it out."""

    class Disk(VersionedObject, version="1.0"):
        gigabytes: int
        label: str = "other"

    finding = only(checked(tmp_path, [FIRST], [Disk]))
    assert (finding.category, finding.change) == ("code", "default changed from 'disk' to 'other'")


def test_a_version_that_went_back_is_found(tmp_path: Path) -> None:
    """A peer would take it for something older."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"

    assert only(checked(tmp_path, [Disk], [FIRST])).change == "version went back from 1.1 to 1.0"


def test_an_object_that_went_is_found(tmp_path: Path) -> None:
    """A peer still sends it."""

    class Other(VersionedObject, version="1.0"):
        id: int

    finding = only(checked(tmp_path, [FIRST, Other], [FIRST]))
    assert (finding.category, finding.path, finding.change) == ("wire", "Other", "object removed")


def _light(*members: str, version: str = "1.0") -> type[VersionedObject]:
    state = StrEnum("Power", {member.upper(): member for member in members})

    class Light(VersionedObject, version=version):
        power: state  # type: ignore[valid-type]

    return Light


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_enum_that_gained_a_member_needs_a_backport(tmp_path: Path, version: str) -> None:
    """A reader of the older version refuses it."""
    finding = only(checked(tmp_path, [_light("on", "off")], [_light("on", "off", "dim", version=version)]))
    assert (finding.category, finding.change) == ("wire", "gained dim")
    assert finding.breaks == "a reader of Light 1.0 refuses dim"
    assert "a backport before 1.1" in finding.due
    assert '        if wire.get("power") in ("dim",):\n            wire["power"] = "on"' in finding.suggestion


def _growing(*members: str, version: str = "1.0") -> type[VersionedObject]:
    def missing(cls: Any, value: object) -> Any:
        return cls("unknown")

    state = StrEnum("Power", {member.upper(): member for member in ("unknown", *members)})
    state._missing_ = classmethod(missing)  # type: ignore[assignment]

    class Light(VersionedObject, version=version):
        power: state  # type: ignore[valid-type]

    return Light


def test_an_enum_with_a_fallback_grows_with_a_version_alone(tmp_path: Path) -> None:
    """Older readers take the new member for the fallback."""
    finding = only(checked(tmp_path / "a", [_growing("on")], [_growing("on", "dim")]))
    assert (finding.category, finding.change, finding.due) == ("wire", "gained dim", "Light 1.1")
    assert finding.breaks == "a reader of Light 1.0 takes dim for unknown, and cannot tell why"
    assert not checked(tmp_path / "b", [_growing("on")], [_growing("on", "dim", version="1.1")]).findings


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_enum_that_lost_a_member_needs_a_forwardport(tmp_path: Path, version: str) -> None:
    """An older peer may send it, and rows may hold it."""
    finding = only(checked(tmp_path, [_light("on", "off", "dim")], [_light("on", "off", version=version)]))
    assert (finding.category, finding.change) == ("store", "lost dim")
    assert finding.breaks == "this code refuses dim, sent by a peer or left at rest"
    assert '@forwardport(since="1.1")' in finding.suggestion


def test_another_type_with_a_rewrite_each_way_passes(tmp_path: Path) -> None:
    """Which is what the suggestion says."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: str
        label: str = "disk"

        @backport(before="1.1")
        def gigabytes_were_int(self, wire: Wire) -> None:
            """Before 1.1 it was a number."""
            wire["gigabytes"] = int(wire["gigabytes"])

        @staticmethod
        @forwardport(since="1.1")
        def gigabytes_become_str(wire: Wire) -> None:
            """Since 1.1 it is a text."""
            wire["gigabytes"] = str(wire["gigabytes"])

    assert not checked(tmp_path, [FIRST], [Disk]).findings


def test_a_rewrite_of_another_field_does_not_count(tmp_path: Path) -> None:
    """A body that names its fields covers only those."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str | None = "disk"

        @backport(before="1.1")
        def disks_were_whole(self, wire: Wire) -> None:
            """Before 1.1 half gigabytes were rounded."""
            wire["gigabytes"] = round(wire["gigabytes"])

    finding = only(checked(tmp_path, [FIRST], [Disk]))
    assert (finding.path, finding.category) == ("Disk.label", "wire")
    assert '        if wire.get("label", ...) is None:\n            wire["label"] = "disk"' in finding.suggestion


def _remote(*, hard: bool = False, more: bool = False, version: str = "1.0", gone: bool = False) -> type:
    class Machine(VersionedObject, version=version):
        id: int

        if hard:

            @remotable
            async def stop(self, why: int) -> None:
                raise NotImplementedError

        elif more:

            @remotable
            async def stop(self, why: str, how: str = "soft") -> None:  # type: ignore[misc]
                raise NotImplementedError

        elif not gone:

            @remotable
            async def stop(self, why: str) -> None:  # type: ignore[misc]
                raise NotImplementedError

        @classmethod
        @remotable
        async def get(cls, context: Context, id: int) -> "Machine":
            raise NotImplementedError

    return Machine


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_remotables_signature_that_changed_is_found(tmp_path: Path, version: str) -> None:
    """An older peer calls it as it was, whatever our version."""
    finding = only(checked(tmp_path, [_remote()], [_remote(hard=True, version=version)]))
    assert (finding.category, finding.path) == ("rpc", "Machine.stop(why)")
    assert finding.change == "type changed from str to int"


def test_a_remotables_new_parameter_needs_a_version(tmp_path: Path) -> None:
    """With a default, that is enough."""
    finding = only(checked(tmp_path / "a", [_remote()], [_remote(more=True)]))
    assert (finding.path, finding.change, finding.due) == ("Machine.stop(how)", "parameter added", "Machine 1.1")
    assert not checked(tmp_path / "b", [_remote()], [_remote(more=True, version="1.1")]).findings


def test_a_remotable_that_went_is_found(tmp_path: Path) -> None:
    """A peer in the window still calls it."""
    finding = only(checked(tmp_path, [_remote()], [_remote(gone=True, version="1.1")]))
    assert (finding.path, finding.change) == ("Machine.stop()", "remotable removed")


class Two(VersionedObject, version="1.1"):
    label: str

    @backport(before="1.1")
    def labels_were_short(self, wire: Wire) -> None:
        """Before 1.1 a label had eight letters."""
        wire["label"] = wire["label"][:8]


def _disks() -> tuple[type, type, type]:
    class Two(VersionedObject, version="1.0"):
        label: str

    without = Two

    class Two(VersionedObject, version="1.1"):  # type: ignore[no-redef]
        label: str

    return without, globals()["Two"], Two


def test_a_backport_may_not_go_while_a_peer_in_the_window_needs_it(tmp_path: Path) -> None:
    """With a window of two the first release is still there; with one it may go."""
    first, second, third = _disks()
    finding = only(checked(tmp_path / "two", [first], [second], [third], window=2, name="r3"))
    assert (finding.path, finding.change, finding.peers) == ("Two.labels_were_short()", "backport removed", ("r1",))
    assert finding.breaks == "a peer that has Two 1.0 needs it: Before 1.1 a label had eight letters."
    assert not checked(tmp_path / "one", [first], [second], [third], window=1, name="r3").findings


def test_a_since_may_go_with_the_last_peer_that_lacked_the_field(tmp_path: Path) -> None:
    """In a window of two it is missed, and every release that breaks is named."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"
        owner: str | None = field(since="1.1", default=None)

    marked = Disk

    class Disk(VersionedObject, version="1.1"):  # type: ignore[no-redef]
        gigabytes: int
        label: str = "disk"
        owner: str | None = None

    assert not checked(tmp_path / "one", [FIRST], [marked], [Disk], window=1, name="r3").findings
    finding = only(checked(tmp_path / "two", [FIRST], [marked], [Disk], window=2, name="r3"))
    assert (finding.path, finding.peers) == ("Disk.owner", ("r1",))


def test_a_fix_is_held_to_its_own_release_and_to_those_before(tmp_path: Path) -> None:
    """r2.1 meets r1 and r2; a release after it meets r2 and r2.1."""
    found = checked(tmp_path, [FIRST], [FIRST], [FIRST], name="r2.1")
    assert [release.name for release in found.window.releases] == ["r1", "r2"]
    later = check(project(tmp_path, [FIRST]), "r3")
    assert [release.name for release in later.window.releases] == ["r2"]


def test_a_fix_may_not_take_a_version_that_a_newer_release_has(tmp_path: Path) -> None:
    """r1.1 is frozen after r2, whose Disk 1.1 is another one: a peer would take the one for the other."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"
        owner: str | None = field(since="1.1", default=None)

    newer = Disk

    class Disk(VersionedObject, version="1.1"):  # type: ignore[no-redef]
        gigabytes: int
        label: str = "disk"
        fixed: bool = field(since="1.1", default=False)

    finding = only(checked(tmp_path, [FIRST], [newer], [Disk], name="r1.1"))
    assert (finding.path, finding.peers) == ("Disk", ("r2",))
    assert finding.change.startswith("is not what r2 means by Disk 1.1: Disk.fixed removed")
    assert not check(project(tmp_path, [newer]), "r1.1").findings


def test_a_field_that_is_never_born_is_found(tmp_path: Path) -> None:
    """Its since is higher than the version: nobody is ever sent it."""

    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = "disk"
        owner: str | None = field(since="1.2", default=None)

    finding = only(checked(tmp_path, [FIRST], [Disk]))
    assert finding.change == "says since 1.2, but Disk is 1.1"
    assert finding.suggestion == 'class Disk(VersionedObject, version="1.2"):'


def test_the_same_change_is_told_once_for_all_who_break(tmp_path: Path) -> None:
    """With each of the releases."""

    class Disk(VersionedObject, version="1.0"):
        gigabytes: int

    found = checked(tmp_path, [FIRST], [FIRST], [Disk], window=2, name="r3")
    assert only(found).peers == ("r1", "r2")


def test_a_negative_window_is_refused(tmp_path: Path) -> None:
    """Nothing is minus one release back."""
    with pytest.raises(ProjectError, match=r"skew_window=…\): received -1, expected 0 or more"):
        project(tmp_path, [Disk], window=-1)
