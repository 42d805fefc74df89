"""`release retire`: the marks that may go with a release."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from midflight.context import Context
from midflight.errors import ProjectError
from midflight.objects.base import VersionedObject, Wire, backport, forwardport
from midflight.objects.fields import field
from midflight.rpc.interface import Interface, endpoint, param
from midflight.upgrade.freeze import freeze
from midflight.upgrade.retire import Retirement, retire
from midflight.upgrade.verdict import Status
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


def test_rows_that_were_written_long_ago_are_a_named_unknown(tmp_path: Path) -> None:
    """A since and a forwardport may be needed to read them; unknown is never pass."""
    found = _retired(tmp_path, _old(), _new())
    assert found.unknown == "how many Disk at rest are of older versions: nothing counts them yet"
    assert (found.status, found.status.exit_code) == (Status.UNKNOWN, 4)


def test_a_release_in_the_window_keeps_every_mark(tmp_path: Path) -> None:
    """The window is that of the release after the last, which will still meet it."""
    found = _retired(tmp_path, _old(), _new(), window=2)
    assert (found.in_window, found.marks, found.status.exit_code) == (True, (), 2)


def test_a_release_for_which_nothing_is_there_leaves_nothing(tmp_path: Path) -> None:
    """The two releases say the same."""
    found = _retired(tmp_path, _old(), _old())
    assert (found.marks, found.unknown, found.status) == ((), None, Status.PASS)


def test_a_release_that_there_is_not_is_named(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(ProjectError, match="has no release 'r9'; it has r1"):
        _retired(tmp_path, _old(), name="r9")
