"""What a guard wants done. It does nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from house.lan.ethernet import Frame
from house.watcher.guarded import Wake


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame, now."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Tell:
    """Write something down for whoever reads the log."""

    event: str
    facts: Mapping[str, object]
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class Report:
    """A wake has begun, or ended: let the house know when it can be told."""

    wake: Wake


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine lives, or lives no more, without anybody's word: the house may not know it."""

    machine: str
    alive: bool


Act = Send | Tell | Report | Seen
