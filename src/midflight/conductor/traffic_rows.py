"""The rows of what conductors answered, minute by minute, and what they say together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from midflight.conductor.traffic import (
    BEFORE_MINUTES,
    FINE_MINUTES,
    KEPT_MINUTES,
    MINUTE,
    PIECE,
    RECENT_MINUTES,
    STEP,
    Traffic,
    minute_of,
    summed,
)
from midflight.db.tables import traffic

_SETTLED = 2.0
"""Seconds after its end in which all conductors have written down a piece."""


def keep(connection: Connection, member: str, minute: int, content: Mapping[str, Any]) -> None:
    """Write down what a conductor counted in a minute; what nobody compares with any more is let go."""
    row = traffic.c.minute == minute, traffic.c.member == member
    if connection.execute(update(traffic).where(*row).values(content=content)).rowcount == 0:
        connection.execute(insert(traffic).values(minute=minute, member=member, content=content))
    connection.execute(delete(traffic).where(traffic.c.minute < minute - KEPT_MINUTES))


def compared(connection: Connection, at: datetime) -> list[Traffic]:
    """The last five whole minutes that were counted, and the hour before them."""
    now = minute_of(at.timestamp())
    whole = traffic.c.minute > now - KEPT_MINUTES, traffic.c.minute < now
    rows = connection.execute(select(traffic.c.minute, traffic.c.content).where(*whole))
    minutes = [(row.minute, row.content) for row in rows]
    last = max((minute for minute, _ in minutes), default=now - 1)
    border = last + 1 - RECENT_MINUTES
    return [_within(minutes, border, last + 1), _within(minutes, border - BEFORE_MINUTES, border)]


def _within(minutes: Iterable[tuple[int, Mapping[str, Any]]], since: int, until: int) -> Traffic:
    inside = [(minute, content) for minute, content in minutes if since <= minute < until]
    first = min((minute for minute, _ in inside), default=until)
    return _together([content for _, content in inside], first * MINUTE, until * MINUTE)


def by_minute(connection: Connection, at: datetime) -> list[Traffic]:
    """Each whole minute that is kept, oldest first, all conductors together; without who asked, and for what. The last
    minutes are told in pieces of ten seconds, also the present one, as far as it has come; not one of which a conductor
    of an earlier midflight has kept no pieces, but the whole."""
    now = minute_of(at.timestamp())
    wanted = select(traffic.c.minute, traffic.c.content).where(traffic.c.minute > now - KEPT_MINUTES)
    kept: dict[int, list[Mapping[str, Any]]] = {}
    for row in connection.execute(wanted.order_by(traffic.c.minute)):
        kept.setdefault(row.minute, []).append({**row.content, "reads": {}, "senders": {}})
    told: list[Traffic] = []
    for minute, contents in kept.items():
        if minute >= now - FINE_MINUTES and all("pieces" in content for content in contents):
            told += _in_pieces(contents, minute * MINUTE, at.timestamp() - _SETTLED)
        elif minute < now:
            told.append(_together(contents, minute * MINUTE, (minute + 1) * MINUTE))
    return told


def _in_pieces(contents: Iterable[Mapping[str, Any]], minute: int, settled: float) -> Iterator[Traffic]:
    """The pieces of a minute that had ended by then; it begins at that second."""
    kept: dict[int, list[Mapping[str, Any]]] = {}
    for content in contents:
        for number, piece in content["pieces"].items():
            kept.setdefault(minute + int(number) * PIECE, []).append(piece)
    for since, pieces in sorted(kept.items()):
        if since + PIECE <= settled:
            yield _together(pieces, since, since + PIECE)


def _together(contents: Sequence[Mapping[str, Any]], since: int, until: int) -> Traffic:
    """What several conductors, or several minutes, have counted; from one second to another."""
    sums = summed(contents)
    took = Counter({int(bucket): number for bucket, number in sums["took"].items()})
    senders, reads = Counter[str](), Counter[tuple[str, str]]()
    for content in contents:
        senders.update(content.get("senders", {}))
        reads.update({(name, d): n for name, counts in content.get("reads", {}).items() for d, n in counts.items()})
    by_object: dict[str, dict[str, int]] = {}
    for (name, digest), number in reads.items():
        by_object.setdefault(name, {})[digest] = number
    return Traffic(
        since=_time(since), until=_time(until), calls=sums["calls"], failed=sums["failed"],
        p50=_quantile(took, 0.50), p95=_quantile(took, 0.95), p99=_quantile(took, 0.99),
        backports=sum(sums["pairs"].values()), pairs=sums["pairs"], busy=sums["busy"], reads=by_object,
        senders=dict(senders),
    )  # fmt: skip


def _quantile(took: Counter[int], share: float) -> float | None:
    """The upper end of the bucket in which that share of all ends."""
    left = math.ceil(took.total() * share)
    for bucket in sorted(took):
        left -= took[bucket]
        if left <= 0:
            return math.exp(bucket * STEP)
    return None


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
