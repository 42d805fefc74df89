"""How fast rows are migrated: one pace for the whole fleet, kept in the database and read again before each chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from midflight.errors import InvalidValue

Share = Annotated[float, Meta(gt=0, le=1)]
Seconds = Annotated[float, Meta(gt=0)]


class Pace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings. Durations are in seconds."""

    target: Seconds = 0.02
    """How long a chunk should take; its number of rows follows."""
    duty: Share = 0.1
    """The share of the time in which chunks run; else they pause. By default nobody who works beside them should feel
    it: on PostgreSQL, whose p99 was 1.3 times what it is without, and 2.5 with a quarter of the time."""
    most_rows: Annotated[int, Meta(ge=1)] = 10_000
    """So many rows go into a chunk at most."""
    failure_ratio: Share = 0.5
    """A migration stops when more than this share of the rows of a pass fails,"""
    failures: Annotated[int, Meta(ge=1)] = 100
    """and that are so many rows at least."""
    replica_lag: Seconds = 10.0
    """Hold while a replica is so far behind (PostgreSQL, like the next three);"""
    oldest_transaction: Seconds = 300.0
    """while somebody's transaction is so old: what we write cannot be cleaned up behind it;"""
    lock_waiters: Annotated[int, Meta(ge=0)] = 5
    """while more than so many statements wait for locks;"""
    vacuum: bool = True
    """while the table is vacuumed;"""
    rpc_p99: Seconds = 1.0
    """while one in a hundred remotables takes longer here;"""
    sql: tuple[str, ...] = ()
    """while one of these queries gives more than 0;"""
    http: tuple[str, ...] = ()
    """while one of these addresses answers anything but 200."""

    def changed(self, changes: Mapping[str, Any]) -> Pace:
        """The same, with some settings changed. Raises InvalidValue that names the setting."""
        known = Pace.__struct_fields__
        for name in changes:
            if name not in known:
                raise InvalidValue(path="pace", received=name, expected=f"one of {', '.join(known)}")
        try:
            return msgspec.convert({**msgspec.to_builtins(self), **changes}, Pace)
        except msgspec.ValidationError as wrong:
            _, _, place = str(wrong).partition(" - at `$.")
            where = place.rstrip("`")
            setting = where.partition("[")[0]
            received, expected = str(changes[setting]), _EXPECTED[setting]
            raise InvalidValue(path=f"pace.{where}", received=received, expected=expected) from None


_SECONDS, _SHARE, _QUERIES = "seconds, more than 0", "more than 0, and at most 1", "a list of texts"
_EXPECTED = {
    **dict.fromkeys(("target", "replica_lag", "oldest_transaction", "rpc_p99"), _SECONDS),
    **dict.fromkeys(("duty", "failure_ratio"), _SHARE),
    **dict.fromkeys(("most_rows", "failures"), "a whole number, at least 1"),
    **dict.fromkeys(("sql", "http"), _QUERIES),
    "lock_waiters": "a whole number, at least 0",
    "vacuum": "true or false",
}
"""What each setting may be, in words."""


_GROWTH = 2.0
"""A chunk is at most so many times as large as the one before it."""
_WEIGHT = 0.5
"""Of the newest chunk in the rate that is believed."""
_FIRST = 100
_LEAST = 25
"""So many rows take hardly longer than one: where the database is so busy that the questions of any chunk take longer
than the target, smaller ones would only be more of them."""


class Size:
    """How many rows the next chunk takes, from how long the last ones took."""

    def __init__(self, rows: int = _FIRST) -> None:
        self.rows = rows
        self._rate: float | None = None

    def took(self, rows: int, seconds: float, pace: Pace) -> None:
        """A chunk of so many rows took so long."""
        rate = rows / max(seconds, 1e-6)
        self._rate = rate if self._rate is None else _WEIGHT * rate + (1 - _WEIGHT) * self._rate
        wanted = min(max(_LEAST, int(self._rate * pace.target)), int(self.rows * _GROWTH), pace.most_rows)
        self.rows = max(1, wanted)

    def failed(self) -> bool:
        """A chunk came to nothing: take half as many. Says whether there is a half."""
        halved, self.rows, self._rate = self.rows > 1, max(1, self.rows // 2), None
        return halved


def pause(seconds: float, pace: Pace) -> float:
    """How long to pause after a chunk that took so long."""
    return seconds * (1 - pace.duty) / pace.duty
