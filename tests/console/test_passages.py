"""The way from each frozen release to the next."""

from __future__ import annotations

from pathlib import Path

from midflight.console.passages import passages_of
from midflight.objects.base import VersionedObject, Wire, backport
from midflight.objects.fields import field
from midflight.upgrade.freeze import freeze
from tests.upgrade.two_codes import Code, project


class Disk(VersionedObject, version="1.0"):
    gigabytes: int


def _kilo() -> Code:
    class Disk(VersionedObject, version="1.1"):
        gigabytes: int
        owner: str | None = field(since="1.1", default=None)

        @backport(before="1.1")
        def nobody_owned_a_disk(self, wire: Wire) -> None:
            """Before 1.1: each disk was everybody's."""
            wire.pop("owner", None)

    return [Disk]


def test_a_backport_of_a_release_is_named_with_its_docstring(tmp_path: Path) -> None:
    """Apart from what else changed; fixes come right behind their release, whenever they were frozen."""
    freeze(project(tmp_path, [Disk]), "juno")
    freeze(project(tmp_path, _kilo()), "kilo")
    freeze(project(tmp_path, [Disk]), "juno.1")
    first, second = passages_of(project(tmp_path, _kilo()))
    assert [(each.before, each.after) for each in (first, second)] == [("juno", "juno.1"), ("juno.1", "kilo")]
    assert (list(first.rewrites), list(first.chapters)) == ([], [])
    (rewrite,) = second.rewrites
    assert (rewrite.object, rewrite.name, rewrite.whom, rewrite.lossy) == (
        "Disk", "nobody_owned_a_disk", "older peers", False,
    )  # fmt: skip
    assert rewrite.says == "Before 1.1: each disk was everybody's."
    (chapter,) = second.chapters
    assert chapter.title == "Disk 1.0 → 1.1"
    assert not any("nobody_owned" in line for line in chapter.lines)
    assert any("owner is new" in line for line in chapter.lines)


def test_a_project_without_releases_has_no_way(tmp_path: Path) -> None:
    """Nor has one with a single release."""
    assert passages_of(project(tmp_path, [Disk])) == []
