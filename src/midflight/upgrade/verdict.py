"""What a gate says: a status, because of facts in words, and the commands that lead out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, ParamSpec

from midflight.upgrade import kinds
from midflight.upgrade.kinds import Kind

P = ParamSpec("P")


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
class Acknowledgement:
    """A person takes the risk of a fact, until a time in ISO 8601."""

    by: str
    reason: str
    expires: str

    def __str__(self) -> str:
        return f"acknowledged by {self.by} until {self.expires[:16]}: {self.reason}"


@dataclass(frozen=True)
class Fact:
    """One thing that was really gathered, in words; and the command that would mend it.

    ``about`` is the one of its kind: a member, a topic, a revision. ``age`` is how many seconds before the verdict it
    was read; None for what is read while the gate is asked.
    """

    status: Status
    words: str
    way_out: str | None = None
    about: str = ""
    kind: Kind = kinds.OTHER
    age: float | None = None
    acknowledged: Acknowledgement | None = None

    @property
    def name(self) -> str:
        """What a person calls it: ``lost:compute@n2``, or ``path`` where there is one only."""
        return f"{self.kind.name}:{self.about}" if self.about else self.kind.name

    @property
    def source(self) -> str:
        """Where it was read."""
        return self.kind.source.value

    @property
    def max_age(self) -> float | None:
        """Seconds after which it is unknown; None where it cannot grow old."""
        return self.kind.source.max_age

    @property
    def is_settled(self) -> bool:
        """Whether it is well, acknowledged, or a warning that waiting does not take away."""
        to_know = self.status is Status.WARN and self.kind in kinds.TO_KNOW
        return self.status is Status.PASS or self.acknowledged is not None or to_know

    def to_wire(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "status": self.status.value,
            "fact": self.words,
            "way_out": self.way_out,
            "source": self.source,
            "age": self.age,
            "max_age": self.max_age,
            "acknowledged": asdict(self.acknowledged) if self.acknowledged else None,
        }


def good(words: str, about: str = "") -> Fact:
    """A fact in favour."""
    return Fact(Status.PASS, words, about=about)


def warning(words: str, way_out: str | None = None, about: str = "") -> Fact:
    """A fact to know before going on, or more to do."""
    return Fact(Status.WARN, words, way_out, about)


def missing(words: str, way_out: str | None = None, about: str = "") -> Fact:
    """A fact that could not be gathered."""
    return Fact(Status.UNKNOWN, words, way_out, about)


def bad(words: str, way_out: str | None = None, about: str = "") -> Fact:
    """A fact that blocks."""
    return Fact(Status.FAIL, words, way_out, about)


def tells(kind: Kind) -> Callable[[Callable[P, Iterable[Fact]]], Callable[P, Iterator[Fact]]]:
    """Say of which kind the facts are that a function finds; those that have one already keep it."""

    def declared(find: Callable[P, Iterable[Fact]]) -> Callable[P, Iterator[Fact]]:
        @functools.wraps(find)
        def found(*args: P.args, **kwargs: P.kwargs) -> Iterator[Fact]:
            for fact in find(*args, **kwargs):
                yield fact if fact.kind is not kinds.OTHER else replace(fact, kind=kind)

        return found

    return declared


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

    @property
    def is_settled(self) -> bool:
        """Whether waiting makes it no better: all is well, but for what people have acknowledged, or need to know."""
        return all(fact.is_settled for fact in self.because)

    def to_wire(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "step": self.step,
            "status": self.status.value,
            "because": [fact.to_wire() for fact in self.because],
            "way_out": list(self.way_out),
        }
