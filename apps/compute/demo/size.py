"""How large a run is: the demo's defaults, and what tests make smaller."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn

RELEASES = ("juno", "kilo", "liberty")
"""What the fleet is, one after the other; each has a tree of its name beside this package."""

BREAKS = ("wrongpin", "kill", "lose", "stale")
DATABASES = ("sqlite", "postgresql")

ENVIRONMENT = ("BREAK", "DB", "SOAK")
"""The arguments that may also come as environment variables."""


@dataclass(frozen=True, slots=True)
class Size:
    """Each field is an argument: ``--rate 20``."""

    instances: int = 200
    """created before the upgrade begins; the load keeps their number near"""
    requests: int = 3000
    """at least so many are made: the load goes on until then"""
    rate: float = 30.0
    """requests a second, all workers together"""
    workers: int = 12
    """users of the cloud, each of whom does one thing at a time"""
    apis: int = 2
    """members of the service api, all on one port"""
    conductors: int = 2
    """members of the service conductor"""
    agents: int = 4
    """members of the service compute"""
    resizes: int = 24
    """instances, at most, that are asked to be resized while the data migration begins, so that some are deferred"""
    pauses: int = 6
    """instances, at most, that are paused for a moment once the fleet is liberty"""
    soak: float = 5.0
    """seconds that a mixed fleet is watched before the agents follow"""
    resize_seconds: float = 2.0
    """how long a resize works"""
    chunk: int = 10
    """rows per run of the data migration"""
    db: str = "sqlite"
    """sqlite, a file in the run's directory; or postgresql, a server of the run's own"""
    build: str = str(Path(__file__).resolve().parents[3] / "build" / "demo")
    """where report.json goes, and the run's own directory"""
    until: str = ""
    """the last step to be gone; the whole road if empty"""
    break_: str = ""
    """what to break on purpose: wrongpin, kill, lose or stale"""

    @property
    def hosts(self) -> list[str]:
        """The names of the agents."""
        return [f"agent-{n}" for n in range(1, self.agents + 1)]


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Size:
    """Read a size from the command line, and what is not there from the environment. A mistake exits with 64."""
    parser = _Parser(prog="python -m demo", description="Upgrade a miniature cloud under load.")
    for field in fields(Size):
        name = field.name.rstrip("_").replace("_", "-")
        choices = {"break_": ("", *BREAKS), "db": DATABASES}.get(field.name)
        parser.add_argument(
            f"--{name}", dest=field.name, type=type(field.default), default=field.default, choices=choices
        )
    surrounding = [f"--{name.lower()}={environment[name]}" for name in ENVIRONMENT if name in environment]
    return Size(**vars(parser.parse_args([*surrounding, *arguments])))


class _Parser(argparse.ArgumentParser):
    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        super().exit(64 if status else 0, message)
