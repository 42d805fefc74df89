"""What conductors answer, counted: kept minute by minute, and compared with the hour before.

A reply is counted under what was asked and who asked, also where nothing had to be translated: from that follows what
an upgrade will cost.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from midflight.context import Caller
from midflight.db.tables import traffic
from midflight.errors import DatabaseError, MidflightError
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.versions import Manifest

MINUTE = 60
RECENT_MINUTES, BEFORE_MINUTES = 5, 60
KEPT_MINUTES = RECENT_MINUTES + BEFORE_MINUTES + 10
MOST_KEYS = 1_000
"""So many kinds of answers are counted in a minute at most: what peers choose must not make a row large."""
MOST_SENDERS = 100
_STEP = math.log(1.1)
"""Durations are kept to within 10 %."""


class Traffic(VersionedObject, version="1.0"):
    """What the conductors answered in some minutes, all together."""

    since: datetime
    until: datetime
    calls: int = 0
    failed: int = 0
    """Calls that ended in an error which nobody declared, or for the database's sake."""
    p95: float | None = None
    """Seconds in which 95 of 100 remotables were done; None where there was none."""
    backports: int = 0
    """Objects that were written in an older version for who asked."""
    busy: float = 0.0
    """Seconds of remotables, all together."""
    reads: dict[str, dict[str, int]] = field(default_factory=dict)
    """Object → digest of the manifest of who asked → how many were answered."""
    senders: dict[str, int] = field(default_factory=dict)
    """``service@host (release)`` of who asked with another release than the conductor's → calls; beyond a hundred of
    them, ``others``."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds()


class Tally:
    """Counts what one conductor answers, until it is taken away."""

    def __init__(self, release: str = "") -> None:
        self._release = release
        self._begin()

    def _begin(self) -> None:
        self.calls = self.failed = self.backports = 0
        self.busy = 0.0
        self.took, self.reads = Counter[int](), Counter[tuple[str, str]]()
        self.senders = Counter[str]()

    @contextmanager
    def measured(self, caller: Caller | None, declared: Collection[type[Exception]]) -> Iterator[None]:
        """Count a remotable as a block. Errors that somebody declared are answers; others are failures."""
        begun, failed = time.perf_counter(), True
        try:
            yield
            failed = False
        except asyncio.CancelledError:
            failed = False
            raise
        except Exception as wrong:
            expected = isinstance(wrong, MidflightError) or type(wrong) in declared
            failed = not expected or isinstance(wrong, DatabaseError)
            raise
        finally:
            self.call(caller, time.perf_counter() - begun, failed=failed)

    def call(self, caller: Caller | None, seconds: float, *, failed: bool) -> None:
        """One remotable that ended."""
        self.calls += 1
        self.failed += failed
        self.busy += seconds
        self.took[math.ceil(math.log(max(seconds, 1e-6)) / _STEP)] += 1
        if caller is not None and caller.release != self._release:
            sender = str(caller)
            known = sender in self.senders or len(self.senders) < MOST_SENDERS
            self.senders[sender if known else "others"] += 1

    def reply(self, value: Any, manifest: Manifest | None) -> None:
        """The objects of a reply to who has this manifest, with all that is inside them."""
        digest = manifest.digest if manifest else ""
        for name, number in _objects(value).items():
            if (key := (name, digest)) in self.reads or len(self.reads) < MOST_KEYS:
                self.reads[key] += number

    def take(self) -> dict[str, Any]:
        """What was counted, as JSON keeps it; and begin anew."""
        reads: dict[str, dict[str, int]] = {}
        for (name, digest), number in self.reads.items():
            reads.setdefault(name, {})[digest] = number
        content = {
            "calls": self.calls, "failed": self.failed, "backports": self.backports, "busy": round(self.busy, 6),
            "took": {str(bucket): number for bucket, number in self.took.items()}, "reads": reads,
            "senders": dict(self.senders),
        }  # fmt: skip
        self._begin()
        return content


def _objects(value: Any) -> Counter[str]:
    """How many objects of which name there are in a value, at any depth."""
    found = Counter[str]()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if (shape := getattr(each, "__shape__", None)) is not None:
            found[shape.name] += 1
            waiting += [slot.get(each) for slot in shape.holders if each.is_set(slot.name)]
        elif isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple | set | frozenset):
            waiting += each
    return found


def minute_of(seconds: float) -> int:
    """The number of a minute of Unix time."""
    return int(seconds // MINUTE)


def keep(connection: Connection, member: str, minute: int, content: Mapping[str, Any]) -> None:
    """Write down what a conductor counted in a minute; what nobody compares with any more is let go."""
    row = traffic.c.minute == minute, traffic.c.member == member
    if connection.execute(update(traffic).where(*row).values(content=content)).rowcount == 0:
        connection.execute(insert(traffic).values(minute=minute, member=member, content=content))
    connection.execute(delete(traffic).where(traffic.c.minute < minute - KEPT_MINUTES))


def compared(connection: Connection, at: datetime) -> list[Traffic]:
    """The last five whole minutes that were counted, and the hour before them."""
    now = minute_of(at.timestamp())
    rows = connection.execute(select(traffic.c.minute, traffic.c.content).where(traffic.c.minute > now - KEPT_MINUTES))
    minutes = [(row.minute, row.content) for row in rows]
    last = max((minute for minute, _ in minutes), default=now - 1)
    border = last + 1 - RECENT_MINUTES
    return [
        _together(minutes, border, last + 1),
        _together(minutes, border - BEFORE_MINUTES, border),
    ]


def _together(minutes: Iterable[tuple[int, Mapping[str, Any]]], since: int, until: int) -> Traffic:
    took, senders, reads = Counter[int](), Counter[str](), Counter[tuple[str, str]]()
    sums = Counter[str]()
    busy, first = 0.0, until
    for minute, content in minutes:
        if not since <= minute < until:
            continue
        first = min(first, minute)
        sums.update({name: content[name] for name in ("calls", "failed", "backports")})
        busy += content["busy"]
        took.update({int(bucket): number for bucket, number in content["took"].items()})
        senders.update(content["senders"])
        reads.update({(name, d): n for name, counts in content["reads"].items() for d, n in counts.items()})
    by_object: dict[str, dict[str, int]] = {}
    for (name, digest), number in reads.items():
        by_object.setdefault(name, {})[digest] = number
    return Traffic(
        since=_time(first), until=_time(until), calls=sums["calls"], failed=sums["failed"], p95=_p95(took),
        backports=sums["backports"], busy=busy, reads=by_object, senders=dict(senders),
    )  # fmt: skip


def _p95(took: Counter[int]) -> float | None:
    """The upper end of the bucket in which the 95th of 100 lies."""
    left = math.ceil(took.total() * 0.95)
    for bucket in sorted(took):
        left -= took[bucket]
        if left <= 0:
            return math.exp(bucket * _STEP)
    return None


def _time(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * MINUTE, UTC)


Clock = Callable[[], float]


class Minutes:
    """Says when a minute of the wall clock is over, however late it is asked."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock, self.present = clock, minute_of(clock())

    def over(self) -> int | None:
        """The minute that has ended since it was asked last; None where that has not."""
        now = minute_of(self._clock())
        if now == self.present:
            return None
        ended, self.present = self.present, now
        return ended

    @property
    def left(self) -> float:
        """Seconds until this one is over."""
        return max(0.05, (self.present + 1) * MINUTE - self._clock())
