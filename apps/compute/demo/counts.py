"""Was an instance ever interrupted? Read from the file into which it counted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST_GAP = 0.5
"""Seconds between two counts. They come ten times a second; a longer silence is an interruption."""

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


def interruption(path: Path, until: float) -> str:
    """What interrupted this instance between its first count and ``until``; empty when nothing did.

    ``until`` is the moment at which its end was asked for, or at which the observer looked, if it should still live.
    One that was asked to pause stands still until it is resumed, and then goes on where it was.
    """
    seen = [count for count in counts(path) if count.t <= until]
    if all(count.word for count in seen):
        return "it never counted"
    if others := {count.pid for count in seen} - {seen[0].pid}:
        return f"pid {seen[0].pid} became {', '.join(map(str, others))}"
    return next(_faults(seen, until), "")


def _faults(seen: list[Count], until: float) -> Iterator[str]:
    number, heard, stands_still = None, None, False
    for count in seen:
        if stands_still and not count.word:
            yield f"it counted {count.number} while it was paused"
        elif not count.word and number is not None and count.number != number + 1:
            yield f"count {number} was followed by {count.number}"
        if heard is not None and not stands_still and count.word in COUNTED and count.t - heard > LONGEST_GAP:
            yield f"{count.t - heard:.2f} s without a count after {number}"
        if count.word in COUNTED:
            heard, stands_still = count.t, count.word == PAUSED
        if not count.word:
            number = count.number
    if heard is not None and not stands_still and until - heard > LONGEST_GAP:
        yield f"no count in the last {until - heard:.2f} s of its life"


def pauses(path: Path) -> int:
    """How often it stood still and went on."""
    words = [count.word for count in counts(path) if count.word in (PAUSED, RESUMED)]
    return sum(pair == (PAUSED, RESUMED) for pair in itertools.pairwise(words))
