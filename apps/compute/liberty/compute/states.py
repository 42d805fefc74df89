"""What an instance can be, and what can be done with it just now.

These grow from release to release, so each has a word for what a later release may say.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class Growing(StrEnum):
    """An enumeration that reads a value of a later release as ``unknown``."""

    @classmethod
    def _missing_(cls, value: Any) -> Self | None:
        return cls("unknown") if isinstance(value, str) and value != "unknown" else None


class VmState(Growing):
    """What the cloud holds of an instance."""

    BUILDING = "building"
    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"
    UNKNOWN = "unknown"


class TaskState(Growing):
    """What is being done with an instance; it has none when it is left in peace."""

    SPAWNING = "spawning"
    REBOOTING = "rebooting"
    RESIZING = "resizing"
    MIGRATING = "migrating"
    PAUSING = "pausing"
    RESUMING = "resuming"
    DELETING = "deleting"
    UNKNOWN = "unknown"


class PowerState(Growing):
    """What its machine was last seen to do."""

    NOSTATE = "nostate"
    RUNNING = "running"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    CRASHED = "crashed"
    UNKNOWN = "unknown"
