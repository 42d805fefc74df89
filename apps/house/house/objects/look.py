"""Looks: what a sleeper has found out of its machine."""

from __future__ import annotations

from datetime import datetime

from house.states import Finding
from midflight import VersionedObject, field


class Check(VersionedObject, version="1.0"):
    """What one check has found, and in words why. ``since`` is when it began to find that."""

    name: str
    finding: Finding = field(default=Finding.UNKNOWN, fallback=Finding.UNKNOWN)
    why: str = ""
    since: datetime | None = None


class Look(VersionedObject, version="1.0"):
    """All checks of a machine at one time. ``because`` are the reasons for which it stays awake, among them what the
    conductor had against its sleep; ``sleeps_at`` is when it will sleep if nothing changes."""

    machine: str
    at: datetime
    checks: list[Check] = field(default_factory=list)
    because: tuple[str, ...] = ()
    idle_since: datetime | None = None
    sleeps_at: datetime | None = None
