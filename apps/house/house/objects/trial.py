"""Trials: what rooms heard of a test signal."""

from __future__ import annotations

from house.playing import Engine
from midflight import VersionedObject, field


class Trial(VersionedObject, version="1.0"):
    """What one room heard of the test signal by one engine, for so many ``seconds``, of which it was ``silent`` for a
    part. ``level_db`` is the peak, in dB below full scale, and None where nothing was heard. ``lost``, ``jitter_ms``
    and ``buffer_ms`` are those of a ``Hearing``, as is ``why``, which says what is wrong."""

    player: str
    engine: Engine = field(default=Engine.UNKNOWN, fallback=Engine.UNKNOWN)
    seconds: float = 0.0
    silent: float = 0.0
    level_db: float | None = None
    lost: int | None = None
    jitter_ms: float | None = None
    buffer_ms: float | None = None
    restarts: int = 0
    why: str = ""
