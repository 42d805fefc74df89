"""Two codes of one project: the first is frozen, the second is checked against it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midflight.objects.base import VersionedObject
from midflight.project import Project
from midflight.upgrade.check import Check, check
from midflight.upgrade.finding import Finding
from midflight.upgrade.freeze import freeze

Code = Sequence[type]
"""Objects and interfaces."""


def project(folder: Path, code: Code, window: int = 1) -> Project:
    """The project whose code that is."""
    objects: list[Any] = [each for each in code if issubclass(each, VersionedObject)]
    interfaces = [each for each in code if each not in objects]
    return Project("cloudlet", objects=objects, interfaces=interfaces, releases=folder, skew_window=window)


def checked(folder: Path, *codes: Code, window: int = 1, name: str | None = None) -> Check:
    """Freeze all codes but the last, as r1, r2 …, and check the last."""
    *before, now = codes
    for number, code in enumerate(before, 1):
        freeze(project(folder, code, window), f"r{number}")
    return check(project(folder, now, window), name)


def only(found: Check) -> Finding:
    """The one finding."""
    (finding,) = found.findings
    return finding
