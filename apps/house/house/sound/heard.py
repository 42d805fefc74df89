"""What an engine says of itself, in plain values. What it cannot tell is None."""

from __future__ import annotations

from dataclasses import dataclass, field

from house.playing import Playing, Sent


@dataclass(frozen=True)
class RoomHeard:
    """A room. ``level_db`` is the peak of what its stream has played since the last look, in dB below full scale, and
    None where it was silent; ``lost`` are packets since its host hears this stream, and ``jitter_ms`` says how
    unevenly the others come (RFC 3550, 6.4.1)."""

    state: Playing
    why: str = ""
    level_db: float | None = None
    buffer_ms: float | None = None
    drift_ppm: float | None = None
    lost: int | None = None
    jitter_ms: float | None = None
    underruns: int | None = None


@dataclass(frozen=True)
class FeedHeard:
    """A stream, where it comes from."""

    state: Sent
    why: str = ""
    level_db: float | None = None


@dataclass(frozen=True)
class Heard:
    """All that a host was asked for, by name, and ``troubles`` in words that are no room's and no stream's."""

    rooms: dict[str, RoomHeard] = field(default_factory=dict)
    feeds: dict[str, FeedHeard] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
