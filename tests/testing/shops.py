"""A shop in two releases: what peers of juno have, and what kilo makes of it."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from midflight.objects.base import VersionedObject
from midflight.objects.fields import field, lazy
from midflight.project import Project
from midflight.testing import roundtrip
from midflight.upgrade.freeze import freeze


class Power(StrEnum):
    OFF = "off"
    ON = "on"


class Powers(StrEnum):
    OFF = "off"
    ON = "on"
    PAUSED = "paused"


def disk(version: str = "1.0", gigabytes: Any = int) -> Any:
    """What a machine has several of."""
    body = {"__annotations__": {"gigabytes": gigabytes}, "__module__": __name__}
    return type(VersionedObject)("Disk", (VersionedObject,), body, version=version)


def machine(*rewrites: Any, version: str = "1.1", without: str = "", **changed: Any) -> Any:
    """Juno's machine, but for ``changed`` fields: each a type, or a type and a declaration."""
    fields: dict[str, Any] = {
        "name": str,
        "power": (Power, Power.OFF),
        "cores": (int, 1),
        "disks": (list[Disk], field(default_factory=list)),
        "notes": (list[str], lazy()),
        **changed,
    }
    fields.pop(without, None)
    told = {name: part if isinstance(part, tuple) else (part,) for name, part in fields.items()}
    body: dict[str, Any] = {name: part[1] for name, part in told.items() if len(part) > 1}
    body |= {rewrite.__name__: rewrite for rewrite in rewrites}
    body |= {"__annotations__": {name: part[0] for name, part in told.items()}, "__module__": __name__}
    return type(VersionedObject)("Machine", (VersionedObject,), body, version=version)


Disk = disk()


def shop(folder: Path, *objects: Any) -> Project:
    """Kilo, with these objects; juno is frozen in the folder."""
    if not (folder / "juno.toml").exists():
        freeze(Project("shop", objects=[Disk, machine(version="1.0")], releases=folder), "juno")
    return Project("shop", objects=objects, releases=folder)


def failures(project: Project, **how: Any) -> dict[str, str]:
    """What each case of the test says that fails, by its id, with the minimal example."""
    test = roundtrip(project, **{"examples": 60, **how})
    (marks,) = test.pytestmark  # type: ignore[attr-defined]  # as pytest keeps them
    found = {}
    for case in marks.args[1]:
        try:
            test(case)
        except AssertionError as error:
            found[str(case)] = "\n".join([str(error), *getattr(error, "__notes__", [])])
    return found
