"""What changed from one release to another, in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from midflight.context import Context
from midflight.objects.base import VersionedObject, Wire, backport
from midflight.objects.fields import field
from midflight.rpc.interface import Interface, endpoint, param
from midflight.upgrade.chronicle import chronicle
from midflight.upgrade.reading import Said, said
from midflight.upgrade.wording import contract_in_words
from tests.upgrade.two_codes import Code, project


class Disk(VersionedObject, version="1.0"):
    gigabytes: int
    label: str = "disk"


class Gone(VersionedObject, version="1.3"):
    id: int


class ComputeAPI(Interface, Protocol, topic="compute", version="3.5"):
    @endpoint(since="3.0")
    async def build_instance(self, context: Context, image: int) -> None: ...


def _new() -> Code:
    class Disk(VersionedObject, version="1.1"):
        gigabytes: int | None
        label: str = field(default="other", read_only=True)
        owner: str | None = field(since="1.1", default=None)

        @backport(before="1.1")
        def disks_had_a_size(self, wire: Wire) -> None:
            """Before 1.1 each disk had a size."""
            wire["gigabytes"] = wire["gigabytes"] or 0

    class ComputeAPI(Interface, Protocol, topic="compute", version="4.0", serves=("3.5",)):
        @endpoint(since="3.0")
        async def build(self, context: Context, image: str, quick: bool = param(False, since="4.0")) -> int: ...

        @build.adapt(before="4.0", was="build_instance")
        @staticmethod
        def image_was_a_number(image: int) -> Mapping[str, Any]:
            """Images had numbers."""
            return {"image": str(image)}

    class Came(VersionedObject, version="1.0"):
        id: int

    return [Disk, ComputeAPI, Came]


def _said(code: Code, folder: Path) -> Said:
    return said(contract_in_words(project(folder, code).contract))


def test_every_change_is_told_once_in_words(tmp_path: Path) -> None:
    """Objects, then interfaces; backports and adapters by name, with why."""
    told = chronicle(_said([Disk, Gone, ComputeAPI], tmp_path), _said(_new(), tmp_path))
    assert {chapter.title: list(chapter.lines) for chapter in told} == {
        "object Came is new, 1.0": [],
        "Disk 1.0 → 1.1": [
            "field gigabytes: type changed from int to int | None",
            "field label: default 'disk' → 'other'; is read-only now",
            "field owner is new: str | None, default None",
            "for older peers, disks_had_a_size: Before 1.1 each disk had a size.",
            "readable from 1.1, was from 1.0",
        ],
        "object Gone is gone, it was 1.3": [],
        "compute 3.5 → 4.0": [
            "also serves 3.5",
            "endpoint build_instance is called build now",
            "endpoint build(image): type changed from int to str",
            "endpoint build(quick) is new: bool, default False",
            "endpoint build, its result: type changed from None to int",
            "endpoint build, adapt before 4.0, image_was_a_number: Images had numbers.",
        ],
    }


def test_the_same_is_told_in_no_words(tmp_path: Path) -> None:
    """Nothing changed."""
    assert chronicle(_said([Disk, ComputeAPI], tmp_path), _said([Disk, ComputeAPI], tmp_path)) == []
