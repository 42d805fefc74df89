"""What a gate says: a status, because of facts in words, and the commands that lead out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a fact stands. The values are in order: the worst fact decides, and unknown is never pass."""

    PASS = "pass"
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def exit_code(self) -> int:
        """0 pass, 1 warnings or more to do, 2 blocked by a named check, 4 a fact is missing."""
        return {"pass": 0, "warn": 1, "unknown": 4, "fail": 2}[self.value]

    @property
    def weight(self) -> int:
        """A worse status weighs more."""
        return list(Status).index(self)


@dataclass(frozen=True)
class Fact:
    """One thing that was really gathered, in words; and the command that would mend it."""

    status: Status
    words: str
    way_out: str | None = None


def good(words: str) -> Fact:
    """A fact in favour."""
    return Fact(Status.PASS, words)


def warning(words: str, way_out: str | None = None) -> Fact:
    """A fact to know before going on, or more to do."""
    return Fact(Status.WARN, words, way_out)


def missing(words: str, way_out: str | None = None) -> Fact:
    """A fact that could not be gathered."""
    return Fact(Status.UNKNOWN, words, way_out)


def bad(words: str, way_out: str | None = None) -> Fact:
    """A fact that blocks."""
    return Fact(Status.FAIL, words, way_out)


@dataclass(frozen=True)
class Verdict:
    """What one gate says of one fleet."""

    step: str
    status: Status
    because: tuple[Fact, ...]
    """The worst first."""
    way_out: tuple[str, ...]
    """Commands, each once, in the order of the facts that they mend."""

    @classmethod
    def of(cls, step: str, facts: Iterable[Fact]) -> Verdict:
        """The verdict that follows from facts. From no facts follows unknown."""
        because = sorted(facts, key=lambda fact: -fact.status.weight) or [missing("no fact was gathered")]
        way_out = dict.fromkeys(fact.way_out for fact in because if fact.way_out)
        return cls(step, because[0].status, tuple(because), tuple(way_out))

    def to_wire(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "step": self.step,
            "status": self.status.value,
            "because": [{"status": fact.status.value, "fact": fact.words} for fact in self.because],
            "way_out": list(self.way_out),
        }
