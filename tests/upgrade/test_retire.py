"""`release retire`: the marks that may go with a release."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from midflight.conductor.interface import VersionsAtRest
from midflight.context import Context
from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field
from midflight.rpc.interface import Interface, endpoint, param
from midflight.upgrade.freeze import freeze
from midflight.upgrade.retire import Retirement, floor_above, retire
from midflight.upgrade.verdict import Status, good
from tests.upgrade.two_codes import Code, project


def _old() -> Code:
    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        label: str = field(default="disk", since="1.1")

    class ComputeAPI(Interface, Protocol, topic="compute", version="3.5"):
        @endpoint(since="3.0")
        async def stop(self, context: Context, name: str) -> None: ...

    return [Disk, ComputeAPI]


def _new() -> Code:
    class Disk(VersionedObject, version="1.2"):
        gigabytes: int
        label: str = field(default="disk", since="1.1")
        owner: str | None = field(default=None, since="1.2")

        @backport(before="1.2")
        def sizes_were_small(self, wire: Wire) -> None:
            """Before 1.2 nothing was larger than 8."""
            wire["gigabytes"] = min(8, wire["gigabytes"])

        @staticmethod
        @forwardport(since="1.2")
        def sizes_are_whole(wire: Wire) -> None:
            """Since 1.2 they are whole."""

    class ComputeAPI(Interface, Protocol, topic="compute", version="4.0", serves=("3.5",)):
        @endpoint(since="3.0")
        async def stop(self, context: Context, name: str, hard: bool = param(False, since="4.0")) -> None: ...

        @stop.adapt(before="4.0")
        @staticmethod
        def names_were_loud(name: str) -> Mapping[str, Any]:
            return {"name": name.lower()}

        @stop.revert(before="4.0")
        @staticmethod
        def names_are_quiet(name: str) -> Mapping[str, Any]:
            return {"name": name.upper()}

    return [Disk, ComputeAPI]


def _retired(folder: Path, *codes: Code, name: str = "r1", window: int = 1) -> Retirement:
    for number, code in enumerate(codes, 1):
        freeze(project(folder, code, window), f"r{number}")
    return retire(project(folder, codes[-1], window), name)


def test_what_only_its_peers_needed_may_go(tmp_path: Path) -> None:
    """Marks that are newer than it, and not newer than any release that is left."""
    found = _retired(tmp_path, _old(), _new())
    assert [f"{mark.path}: {mark.mark}" for mark in found.marks] == [
        'Disk.owner: since="1.2"',
        'Disk.sizes_were_small(): @backport(before="1.2")',
        'Disk.sizes_are_whole(): @forwardport(since="1.2")',
        'compute: "3.5" in serves',
        'compute.stop(hard): param(…, since="4.0")',
        'compute.stop(): @stop.adapt(before="4.0")',
        'compute.stop(): @stop.revert(before="4.0")',
    ]


def _words(found: Retirement) -> list[str]:
    return [f"{fact.status}: {fact.words}" for fact in found.facts]


def test_rows_that_nobody_could_look_at_are_a_named_unknown(tmp_path: Path) -> None:
    """A since and a forwardport may be needed to read them; unknown is never pass."""
    found = _retired(tmp_path, _old(), _new()).without_rows("no conductor answers")
    assert _words(found) == ["unknown: how many Disk at rest are of older versions: no conductor answers"]
    assert (found.status, found.status.exit_code) == (Status.UNKNOWN, 4)
    assert [found.stands(mark) for mark in found.marks] == [
        Status.UNKNOWN, Status.PASS, Status.UNKNOWN, *[Status.PASS] * 4,
    ]  # fmt: skip


def test_a_release_whose_versions_are_in_rows_does_not_go(tmp_path: Path) -> None:
    """Each version and column with its count; what all who are left read by themselves is none of it."""
    rows = VersionsAtRest(
        rows=9, columns=["a.disk", "a.more"],
        found={"a.disk": {"Disk:1.2": 4, "Disk:1.1": 2, "Disk:1.0": 1}, "a.more": {"Disk:1.1": 3}},
    )  # fmt: skip
    found = _retired(tmp_path, _old(), _new()).with_rows(rows, good("the store floor is r2"))
    assert _words(found) == [
        "pass: the store floor is r2",
        "fail: a.disk: 1 × Disk 1.0 still need r1: write these rows anew",
        "fail: a.disk: 2 × Disk 1.1 still need r1: write these rows anew",
        "fail: a.more: 3 × Disk 1.1 still need r1: write these rows anew",
    ]
    assert (found.status.exit_code, found.stands(found.marks[0]), found.stands(found.marks[1])) == (
        2, Status.FAIL, Status.PASS,
    )  # fmt: skip


def test_a_release_that_no_row_needs_may_go(tmp_path: Path) -> None:
    """Then there is only work to do in the code; strangers in a column are told, and hold up nothing."""
    rows = VersionsAtRest(rows=9, columns=["a.disk"], found={"a.disk": {"Disk:1.2": 4, "Gadget:1.0": 2, "?": 1}})
    found = _retired(tmp_path, _old(), _new()).with_rows(rows, good("the store floor is r2"))
    assert _words(found)[1:] == [
        "warn: a.disk: 2 × Gadget 1.0, an object that this copy of the project does not have",
        'warn: a.disk: 1 × "$" that names no object and version',
        "pass: none of the 9 rows that were looked at needs r1 (a.disk)",
    ]
    assert (found.status.exit_code, {found.stands(mark) for mark in found.marks}) == (1, {Status.PASS})


def test_rows_that_cannot_be_read_are_unknown(tmp_path: Path) -> None:
    """What is no JSON, with the key of one such row; a table that cannot be walked."""
    rows = VersionsAtRest(rows=9, columns=["a.disk"], unreadable={"a.disk": 2}, examples={"a.disk": "7"}, unkeyed=["b"])
    found = _retired(tmp_path, _old(), _new()).with_rows(rows, good("the store floor is r2"))
    assert _words(found)[1:3] == [
        "unknown: a.disk: 2 × no JSON, as in row 7",
        "unknown: b has no primary key, so that its rows cannot be walked",
    ]
    assert found.status.exit_code == 4


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        (None, "fail: the store floor is not raised yet, so that objects are still written for r1"),
        ("r1", "fail: the store floor is r1, so that objects are still written for r1"),
        ("r2", "pass: the store floor is r2"),
    ],
)
def test_a_release_for_which_rows_are_still_written_does_not_go(tmp_path: Path, floor: str | None, said: str) -> None:
    """A count of none would be true for a moment only."""
    for number, code in enumerate((_old(), _new()), 1):
        freeze(project(tmp_path, code), f"r{number}")
    fact = floor_above(project(tmp_path, _new()), "r1", floor)
    assert f"{fact.status}: {fact.words}" == said


def test_a_release_in_the_window_keeps_every_mark(tmp_path: Path) -> None:
    """The window is that of the release after the last, which will still meet it."""
    found = _retired(tmp_path, _old(), _new(), window=2)
    assert (found.in_window, found.marks, found.status.exit_code) == (True, (), 2)


def test_a_release_for_which_nothing_is_there_leaves_nothing(tmp_path: Path) -> None:
    """The two releases say the same."""
    found = _retired(tmp_path, _old(), _old())
    assert (found.marks, found.asks_rows, found.status) == ((), False, Status.PASS)


def test_a_release_that_there_is_not_is_named(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(ProjectError, match="has no release 'r9'; it has r1"):
        _retired(tmp_path, _old(), name="r9")
