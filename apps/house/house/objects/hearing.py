"""Hearings and sendings: what rooms and streams really do, by the word of the agents beside them."""

from __future__ import annotations

from datetime import datetime

from house.playing import Engine, Playing, Sent
from midflight import VersionedObject, field


class Hearing(VersionedObject, version="1.0"):
    """What one room does, and has done since its agent began. ``level_db`` is the peak since the last look, in dB
    below full scale; ``buffer_ms`` what is in hand to be played; ``drift_ppm`` how fast its sound card is against
    the sender; ``lost`` are packets since its host hears this stream, be it for another room, and ``jitter_ms`` says
    how unevenly the others come (RFC 3550, 6.4.1). What its engine does not tell is None. ``why`` says in words what
    is wrong. ``at`` is when the conductor was told."""

    player: str
    state: Playing = field(default=Playing.UNKNOWN, fallback=Playing.UNKNOWN)
    stream: str | None = None
    level_db: float | None = None
    buffer_ms: float | None = None
    drift_ppm: float | None = None
    lost: int | None = None
    jitter_ms: float | None = None
    underruns: int | None = None
    restarts: int = 0
    why: str = ""
    at: datetime | None = None


class Sending(VersionedObject, version="1.1"):
    """What one stream does, by one engine; see ``Hearing``. ``title`` is what it plays now, and ``queue`` what comes
    next, where that is known."""

    stream: str
    engine: Engine = field(default=Engine.PULSE_RTP, fallback=Engine.UNKNOWN)
    state: Sent = field(default=Sent.UNKNOWN, fallback=Sent.UNKNOWN)
    level_db: float | None = None
    restarts: int = 0
    title: str = ""
    why: str = ""
    at: datetime | None = None
    queue: list[str] = field(default_factory=list, since="1.1")
