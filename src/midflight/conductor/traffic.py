"""What conductors answer, counted: kept minute by minute, in pieces of ten seconds, and compared with the hour before.

A reply is counted under what was asked and who asked, also where nothing had to be translated: from that follows what
an upgrade will cost.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from midflight.context import Caller
from midflight.errors import DatabaseError, MidflightError
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.objects.shape import Shape
from midflight.versions import Manifest

MINUTE = 60
PIECE = 10
"""Seconds."""
FINE_MINUTES = 10
"""So many of the last minutes are told piece by piece."""
RECENT_MINUTES, BEFORE_MINUTES = 5, 60
KEPT_MINUTES = RECENT_MINUTES + BEFORE_MINUTES + 10
MOST_KEYS = 1_000
"""So many kinds of answers are counted in a minute at most: what peers choose must not make a row large."""
MOST_SENDERS = 100
STEP = math.log(1.1)
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
    """Counts what one conductor answers, until it is taken away. All that is counted now is of the ``piece`` of this
    number. ``took`` is told the seconds of each remotable."""

    def __init__(self, release: str = "", took: Callable[[float], None] = lambda _: None) -> None:
        self._release, self._tell = release, took
        self._pairs: dict[tuple[str, str], str] = {}
        """By object and digest of a manifest; empty where nothing becomes older."""
        self._begin()

    def _begin(self, piece: int = 0) -> None:
        self.reads, self.senders = Counter[tuple[str, str]](), Counter[str]()
        self._pieces: dict[str, dict[str, Any]] = {}
        self._begin_piece(piece)

    def _begin_piece(self, piece: int) -> None:
        self.piece = piece
        self.calls = self.failed = 0
        self.busy = 0.0
        self.took, self.pairs = Counter[int](), Counter[str]()

    def measured(self, caller: Caller | None, declared: Collection[type[Exception]]) -> _Measured:
        """Count a remotable as a block. Errors that somebody declared are answers; others are failures."""
        return _Measured(self, caller, declared)

    def call(self, caller: Caller | None, seconds: float, *, failed: bool) -> None:
        """One remotable that ended."""
        self.calls += 1
        self.failed += failed
        self.busy += seconds
        self._tell(seconds)
        self.took[math.ceil(math.log(max(seconds, 1e-6)) / STEP)] += 1
        if caller is not None and caller.release != self._release:
            sender = str(caller)
            known = sender in self.senders or len(self.senders) < MOST_SENDERS
            self.senders[sender if known else "others"] += 1

    def reply(self, value: Any, caller: Caller | None) -> None:
        """The objects of a reply to who asked, with all that is inside them."""
        manifest = caller.manifest if caller else None
        reader = f"{caller.service} {manifest.digest}" if caller and manifest else " "
        for shape, number in _objects(value).items():
            key = shape.name, reader
            if (before := self.reads.get(key, 0)) == 0 and len(self.reads) >= MOST_KEYS:
                continue
            self.reads[key] = before + number
            if (pair := self._pairs.get(key)) is None:
                pair = self._pairs[key] = _pair(shape, manifest)
            if pair:
                self.pairs[pair] += number

    def turn(self, piece: int) -> dict[str, Any]:
        """What was counted in this minute so far, as JSON keeps it; what comes next is of another piece of it."""
        self._end_piece()
        self._begin_piece(piece)
        return self._content()

    def take(self, piece: int = 0) -> dict[str, Any]:
        """What was counted in a minute, as JSON keeps it; and begin anew, with this piece of the next one."""
        self._end_piece()
        content = self._content()
        self._begin(piece)
        return content

    def _end_piece(self) -> None:
        counted = {
            "calls": self.calls, "failed": self.failed, "busy": self.busy,
            "took": {str(bucket): number for bucket, number in self.took.items()}, "pairs": dict(self.pairs),
        }  # fmt: skip
        known = self._pieces.get(str(self.piece))
        self._pieces[str(self.piece)] = summed([known, counted]) if known else counted

    def _content(self) -> dict[str, Any]:
        reads: dict[str, dict[str, int]] = {}
        for (name, reader), number in self.reads.items():
            reads.setdefault(name, {})[reader] = number
        pieces = dict(self._pieces)
        return {**summed(pieces.values()), "reads": reads, "senders": dict(self.senders), "pieces": pieces}


def summed(counted: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several pieces together."""
    sums, took, pairs = Counter[str](), Counter[str](), Counter[str]()
    busy = 0.0
    for each in counted:
        sums.update({name: each[name] for name in ("calls", "failed")})
        took.update(each["took"])
        pairs.update(each["pairs"])
        busy += each["busy"]
    return {
        "calls": sums["calls"],
        "failed": sums["failed"],
        "busy": round(busy, 6),
        "took": dict(took),
        "pairs": dict(pairs),
    }


class _Measured:
    """One remotable. A class, since a generator would cost three times as much."""

    __slots__ = ("_begun", "_caller", "_declared", "_tally")

    def __init__(self, tally: Tally, caller: Caller | None, declared: Collection[type[Exception]]) -> None:
        self._tally, self._caller, self._declared = tally, caller, declared

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        failed = kind is not None and self._is_failure(error)
        self._tally.call(self._caller, time.perf_counter() - self._begun, failed=failed)

    def _is_failure(self, error: BaseException | None) -> bool:
        if isinstance(error, asyncio.CancelledError):
            return False
        expected = isinstance(error, MidflightError) or type(error) in self._declared
        return not expected or isinstance(error, DatabaseError)


def _pair(shape: Shape, manifest: Manifest | None) -> str:
    """What an object of ours becomes for who has this manifest; empty where it stays as it is."""
    if manifest is None or (known := shape.known_to(manifest)).name not in manifest:
        return ""
    if known is not shape:
        return f"{shape.name} {shape.version} {known.name}"
    there = manifest[shape.name]
    return f"{shape.name} {shape.version} {there}" if there < shape.version else ""


def _leaf(kind: type) -> Shape | None:
    """The shape of a class whose objects hold no others."""
    shape: Shape | None = getattr(kind, "__shape__", None)
    return None if shape is None or shape.holders else shape


_SEVERAL = (list, tuple, set, frozenset)


def _objects(value: Any) -> dict[Shape, int]:
    """How many objects of which class there are in a value, at any depth. It is done for each reply, so the likeliest
    is asked first."""
    found: dict[Shape, int] = {}
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if (shape := getattr(type(each), "__shape__", None)) is not None:
            found[shape] = found.get(shape, 0) + 1
            for slot in shape.holders:
                try:
                    waiting.append(slot.get(each))
                except AttributeError:  # it is unset
                    continue
        elif isinstance(each, _SEVERAL):
            if len(kinds := set(map(type, each))) == 1 and (shape := _leaf(*kinds)) is not None:
                found[shape] = found.get(shape, 0) + len(each)
            else:
                waiting += each
        elif each is not None and isinstance(each, Mapping):
            waiting += each.values()
    return found


def minute_of(seconds: float) -> int:
    """The number of a minute of Unix time."""
    return int(seconds // MINUTE)


Clock = Callable[[], float]


class Minutes:
    """Says when a piece of a minute of the wall clock is over, and when a minute is, however late it is asked."""

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
    def piece(self) -> int:
        """The number of the present piece of its minute."""
        return int(self._clock() % MINUTE // PIECE)

    @property
    def left(self) -> float:
        """Seconds until this piece is over."""
        return max(0.05, PIECE - self._clock() % PIECE)
