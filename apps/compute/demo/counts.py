"""Was an instance ever interrupted? Read from the file into which it counted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST_GAP = 0.5
"""Seconds between two counts. They come ten times a second; a longer silence is an interruption."""

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
    """
    seen = [count for count in counts(path) if count.t <= until]
    plain = [count for count in seen if not count.word]
    if not plain:
        return "it never counted"
    if others := {count.pid for count in seen} - {seen[0].pid}:
        return f"pid {seen[0].pid} became {', '.join(map(str, others))}"
    for before, after in itertools.pairwise(plain):
        if wrong := _between(before, after):
            return wrong
    silence = until - plain[-1].t
    return f"no count in the last {silence:.2f} s of its life" if silence > LONGEST_GAP else ""


def _between(before: Count, after: Count) -> str:
    if after.number != before.number + 1:
        return f"count {before.number} was followed by {after.number}"
    if after.t - before.t > LONGEST_GAP:
        return f"{after.t - before.t:.2f} s without a count after {before.number}"
    return ""
