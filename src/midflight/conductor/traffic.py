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
from midflight.objects.shape import Shape
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
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    """Seconds in which 50, 95 and 99 of 100 remotables were done; None where there was none."""
    backports: int = 0
    """Objects that were written in an older version for who asked."""
    pairs: dict[str, int] = field(default_factory=dict)
    """The same by object and versions: ``Instance 1.17 1.16`` → how many. An object that who asked knows by its base
    class only has the name of that one in the end."""
    busy: float = 0.0
    """Seconds of remotables, all together."""
    reads: dict[str, dict[str, int]] = field(default_factory=dict)
    """Object → service of who asked, a blank, the digest of its manifest → how many were answered."""
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
        self._pairs: dict[tuple[str, str], str] = {}
        """By object and digest of a manifest; empty where nothing becomes older."""
        self._begin()

    def _begin(self) -> None:
        self.calls = self.failed = 0
        self.busy = 0.0
        self.took, self.reads = Counter[int](), Counter[tuple[str, str]]()
        self.senders, self.pairs = Counter[str](), Counter[str]()

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

    def reply(self, value: Any, caller: Caller | None) -> None:
        """The objects of a reply to who asked, with all that is inside them."""
        manifest = caller.manifest if caller else None
        reader = f"{caller.service} {manifest.digest}" if caller and manifest else " "
        for shape, number in _objects(value).items():
            if (key := (shape.name, reader)) not in self.reads and len(self.reads) >= MOST_KEYS:
                continue
            self.reads[key] += number
            if key not in self._pairs:
                self._pairs[key] = _pair(shape, manifest)
            if pair := self._pairs[key]:
                self.pairs[pair] += number

    def take(self) -> dict[str, Any]:
        """What was counted, as JSON keeps it; and begin anew."""
        reads: dict[str, dict[str, int]] = {}
        for (name, reader), number in self.reads.items():
            reads.setdefault(name, {})[reader] = number
        content = {
            "calls": self.calls, "failed": self.failed, "busy": round(self.busy, 6),
            "took": {str(bucket): number for bucket, number in self.took.items()}, "reads": reads,
            "senders": dict(self.senders), "pairs": dict(self.pairs),
        }  # fmt: skip
        self._begin()
        return content


def _pair(shape: Shape, manifest: Manifest | None) -> str:
    """What an object of ours becomes for who has this manifest; empty where it stays as it is."""
    if manifest is None or (known := shape.known_to(manifest)).name not in manifest:
        return ""
    if known is not shape:
        return f"{shape.name} {shape.version} {known.name}"
    there = manifest[shape.name]
    return f"{shape.name} {shape.version} {there}" if there < shape.version else ""


_SEVERAL = (list, tuple, set, frozenset)


def _objects(value: Any) -> dict[Shape, int]:
    """How many objects of which class there are in a value, at any depth. Each reply waits for it, so the likeliest is
    asked first."""
    found: dict[Shape, int] = {}
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, VersionedObject):
            shape = each.__shape__
            found[shape] = found.get(shape, 0) + 1
            if shape.holders:
                waiting += [slot.get(each) for slot in shape.holders if each.is_set(slot.name)]
        elif isinstance(each, _SEVERAL):
            waiting += each
        elif each is not None and isinstance(each, Mapping):
            waiting += each.values()
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


def by_minute(connection: Connection, at: datetime) -> list[Traffic]:
    """Each whole minute that is kept, oldest first, all conductors together; without who asked, and for what."""
    now = minute_of(at.timestamp())
    wanted = select(traffic.c.minute, traffic.c.content).where(traffic.c.minute > now - KEPT_MINUTES)
    kept: dict[int, list[tuple[int, Mapping[str, Any]]]] = {}
    for row in connection.execute(wanted.order_by(traffic.c.minute)):
        kept.setdefault(row.minute, []).append((row.minute, {**row.content, "reads": {}, "senders": {}}))
    return [_together(minutes, minute, minute + 1) for minute, minutes in kept.items()]


def _together(minutes: Iterable[tuple[int, Mapping[str, Any]]], since: int, until: int) -> Traffic:
    took, senders, reads = Counter[int](), Counter[str](), Counter[tuple[str, str]]()
    sums, pairs = Counter[str](), Counter[str]()
    busy, first = 0.0, until
    for minute, content in minutes:
        if not since <= minute < until:
            continue
        first = min(first, minute)
        sums.update({name: content[name] for name in ("calls", "failed")})
        busy += content["busy"]
        took.update({int(bucket): number for bucket, number in content["took"].items()})
        senders.update(content["senders"])
        pairs.update(content["pairs"])
        reads.update({(name, d): n for name, counts in content["reads"].items() for d, n in counts.items()})
    by_object: dict[str, dict[str, int]] = {}
    for (name, digest), number in reads.items():
        by_object.setdefault(name, {})[digest] = number
    return Traffic(
        since=_time(first), until=_time(until), calls=sums["calls"], failed=sums["failed"],
        p50=_quantile(took, 0.50), p95=_quantile(took, 0.95), p99=_quantile(took, 0.99), backports=pairs.total(),
        pairs=dict(pairs), busy=busy, reads=by_object, senders=dict(senders),
    )  # fmt: skip


def _quantile(took: Counter[int], share: float) -> float | None:
    """The upper end of the bucket in which that share of all ends."""
    left = math.ceil(took.total() * share)
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
