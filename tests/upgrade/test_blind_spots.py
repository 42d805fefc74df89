"""The eleven kinds of change to which a fingerprint over declared fields is blind, each made without a new version."""

import ast
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from midflight.objects.base import VersionedObject, Wire, backport
from midflight.objects.fields import field
from tests.upgrade.two_codes import Code, checked, only

Codes = tuple[Code, Code]


def list_of_strings_to_list_of_integers() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: list[str]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: list[int]

    return [before], [Disk]


def dict_of_strings_to_dict_of_nullable_strings() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: dict[str, str]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: dict[str, str | None]

    return [before], [Disk]


def dict_of_strings_to_dict_of_lists() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: dict[str, str]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: dict[str, list[str]]

    return [before], [Disk]


class Size(VersionedObject, version="1.0"):
    gigabytes: int


class Shape(VersionedObject, version="1.0"):
    gigabytes: int


def object_of_another_class() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: Size

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: Shape

    return [before, Size, Shape], [Disk, Size, Shape]


def list_of_objects_of_another_class() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: list[Size]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: list[Shape]

    return [before, Size, Shape], [Disk, Size, Shape]


def list_of_objects_to_list_of_strings() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: list[Size]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: list[str]

    return [before, Size], [Disk, Size]


def aware_to_naive_time() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: Annotated[datetime, msgspec.Meta(tz=True)]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: Annotated[datetime, msgspec.Meta(tz=False)]

    return [before], [Disk]


def another_pattern() -> Codes:
    class Disk(VersionedObject, version="1.0"):
        tags: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")]

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        tags: Annotated[str, msgspec.Meta(pattern="^[a-z, ]+$")]

    return [before], [Disk]


TYPES: dict[Callable[[], Codes], str] = {
    list_of_strings_to_list_of_integers: "type changed from list[str] to list[int]",
    dict_of_strings_to_dict_of_nullable_strings: "type changed from dict[str, str] to dict[str, str | None]",
    dict_of_strings_to_dict_of_lists: "type changed from dict[str, str] to dict[str, list[str]]",
    object_of_another_class: "type changed from Size to Shape",
    list_of_objects_of_another_class: "type changed from list[Size] to list[Shape]",
    list_of_objects_to_list_of_strings: "type changed from list[Size] to list[str]",
    aware_to_naive_time: "type changed from datetime {tz True} to datetime {tz False}",
    another_pattern: "type changed from str {pattern '^[a-z]+$'} to str {pattern '^[a-z, ]+$'}",
}


@pytest.mark.parametrize(("codes", "change"), TYPES.items(), ids=[codes.__name__ for codes in TYPES])
def test_a_type_that_differs_in_its_last_element_is_seen(
    tmp_path: Path, codes: Callable[[], Codes], change: str
) -> None:
    """With what the peer would refuse, the version that is due, and a rewrite each way to paste."""
    finding = only(checked(tmp_path, *codes()))
    assert (finding.category, finding.path, finding.change) == ("wire", "Disk.tags", change)
    assert finding.peers == ("r1",)
    assert "a reader of Disk 1.0 refuses" in finding.breaks
    assert finding.due.startswith("Disk 1.1, a backport before 1.1 and a forwardport since 1.1")
    assert 'class Disk(VersionedObject, version="1.1"):' in finding.suggestion
    assert '@backport(before="1.1")' in finding.suggestion
    ast.parse(finding.suggestion)


@pytest.mark.parametrize(("then", "now"), [(False, True), (True, False)])
def test_read_only_set_or_cleared_is_seen(tmp_path: Path, then: bool, now: bool) -> None:
    """Bytes are the same, but code that was written for the version assigns it or relies on nobody doing so."""

    class Disk(VersionedObject, version="1.0"):
        label: str = field(read_only=then)

    before = Disk

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        label: str = field(read_only=now)

    finding = only(checked(tmp_path, [before], [Disk]))
    assert (finding.category, finding.path, finding.due) == ("code", "Disk.label", "Disk 1.1")
    assert finding.change == ("became read-only" if now else "is no longer read-only")


def test_a_child_that_an_older_peer_cannot_be_sent_is_seen_with_every_parent(tmp_path: Path) -> None:
    """Child versions are those of the release. A child that outgrew it is found, and where a peer meets it is told."""

    class Size(VersionedObject, version="1.0"):
        gigabytes: int

    before = Size

    class Disk(VersionedObject, version="1.0"):
        size: Size

    class Machine(VersionedObject, version="1.0"):
        disks: list[Disk]

    old = [before, Disk, Machine]

    class Size(VersionedObject, version="2.0"):  # type: ignore[no-redef]
        gigabytes: int

    class Disk(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        size: Size

    class Machine(VersionedObject, version="1.0"):  # type: ignore[no-redef]
        disks: list[Disk]

    finding = only(checked(tmp_path, old, [Size, Disk, Machine]))
    assert (finding.category, finding.change) == ("wire", "major raised to 2.0, and no backport leads back")
    assert finding.met_in == ("Disk.size", "Machine.disks → Disk.size")


def test_another_body_of_a_backport_is_seen(tmp_path: Path) -> None:
    """Two codes of one version would make different forms; comments, docstrings and formatting are not a body."""

    class Disk(VersionedObject, version="1.1"):
        label: str

        @backport(before="1.1")
        def labels_were_short(self, wire: Wire) -> None:
            """Old."""
            wire["label"] = wire["label"][:8]

    before = Disk

    class Disk(VersionedObject, version="1.1"):  # type: ignore[no-redef]
        label: str

        @backport(before="1.1")
        def labels_were_short(self, wire: Wire) -> None:
            """A better docstring."""
            # and a comment
            wire["label"] = (
                wire["label"][:8]
            )  # fmt: skip

    same = Disk

    class Disk(VersionedObject, version="1.1"):  # type: ignore[no-redef]
        label: str

        @backport(before="1.1")
        def labels_were_short(self, wire: Wire) -> None:
            """Old."""
            wire["label"] = wire["label"][:9]

    assert not checked(tmp_path / "a", [before], [same]).findings
    finding = only(checked(tmp_path / "b", [before], [Disk]))
    assert (finding.category, finding.path) == ("wire", "Disk.labels_were_short()")
    assert (finding.change, finding.due) == ("the backport's body changed", "Disk 1.2")
