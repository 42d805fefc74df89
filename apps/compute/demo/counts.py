"""Was an instance ever interrupted? Read from the file into which it counted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_GAP = 0.5
"""Seconds between two counts. They come ten times a second; a longer silence is an interruption."""

STALL, SHARE, MANY = 0.2, 1 / 3, 5
"""Where a processor stands still, many instances are silent at once, on all hosts: that is the machine's, and
interrupts nobody. Seconds of silence that count, and of how many instances: of more than live on one host of four,
for an upgrade touches one at a time."""

PAUSED, RESUMED = "paused", "resumed"
COUNTED = ("", PAUSED, RESUMED)
"""The words of lines between which there is no silence, but where it is asked for."""

ENOUGH = 400
"""Bytes at the end of a count file that surely hold a whole line."""


@dataclass(frozen=True, slots=True)
class Count:
    """One line of a count file; ``word`` is what happened, if it is no plain count."""

    pid: int
    number: int
    t: float
    word: str = ""


def counts(path: Path) -> Iterator[Count]:
    """The whole lines of a count file; the last may be half written."""
    return _parsed(path.read_text())


def _parsed(text: str) -> Iterator[Count]:
    for line in text.split("\n")[:-1]:
        words = line.split()
        if len(words) >= 3:
            yield Count(int(words[0]), int(words[1]), float(words[2]), " ".join(words[3:]))


def last(path: Path) -> Count | None:
    """The latest line."""
    with path.open("rb") as file:
        begin = file.seek(max(0, path.stat().st_size - ENOUGH))
        text = file.read().decode()
    found = list(_parsed(text.partition("\n")[2] if begin else text))
    return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Stalls:
    """When the instances of a run were silent, all of them side by side."""

    lives: Sequence[tuple[float, float]] = ()
    silences: Sequence[tuple[float, float]] = ()

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Stalls:
        """From their count files."""
        moments = [at for path in paths if (at := [count.t for count in counts(path) if not count.word])]
        silences = [gap for at in moments for gap in itertools.pairwise(at) if gap[1] - gap[0] > STALL]
        return cls([(at[0], at[-1]) for at in moments], silences)

    def explain(self, since: float, to: float) -> bool:
        """Whether the machine stood still then: it is one silence among many at the same time, and not a long one."""
        if to - since > 2 * LONGEST_GAP:
            return False
        middle = (since + to) / 2
        alive, silent = (
            sum(began <= middle <= ended for began, ended in spans) for spans in (self.lives, self.silences)
        )
        return silent >= max(MANY, SHARE * alive)


def interruption(path: Path, until: float, stalls: Stalls = Stalls()) -> str:
    """What interrupted this instance between its first count and ``until``; empty when nothing did.

    ``until`` is the moment at which its end was asked for, or at which the observer looked, if it should still live.
    One that was asked to pause stands still until it is resumed, and then goes on where it was.
    """
    seen = [count for count in counts(path) if count.t <= until]
    if all(count.word for count in seen):
        return "it never counted"
    if others := {count.pid for count in seen} - {seen[0].pid}:
        return f"pid {seen[0].pid} became {', '.join(map(str, others))}"
    return next(_faults(seen, until, stalls), "")


def _faults(seen: list[Count], until: float, stalls: Stalls) -> Iterator[str]:
    def silent(since: float, to: float) -> bool:
        return to - since > LONGEST_GAP and not stalls.explain(since, to)

    number, heard, stands_still = None, None, False
    for count in seen:
        if stands_still and not count.word:
            yield f"it counted {count.number} while it was paused"
        elif not count.word and number is not None and count.number != number + 1:
            yield f"count {number} was followed by {count.number}"
        if heard is not None and not stands_still and count.word in COUNTED and silent(heard, count.t):
            yield f"{count.t - heard:.2f} s without a count after {number}"
        if count.word in COUNTED:
            heard, stands_still = count.t, count.word == PAUSED
        if not count.word:
            number = count.number
    if heard is not None and not stands_still and silent(heard, until):
        yield f"no count in the last {until - heard:.2f} s of its life"


def pauses(path: Path) -> int:
    """How often it stood still and went on."""
    words = [count.word for count in counts(path) if count.word in (PAUSED, RESUMED)]
    return sum(pair == (PAUSED, RESUMED) for pair in itertools.pairwise(words))
