"""May a machine sleep now? Pure functions of what the conductor knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from house.errors import StaysAwake
from house.objects.hold import Hold
from house.objects.rule import Rule

EARLY = timedelta(minutes=2)
"""So long before it is needed a machine wakes by plan."""
NAP = timedelta(minutes=1)
"""A shorter one is not worth it, and could begin too late for the alarm that ends it."""

Objection = tuple[str, datetime]
"""What speaks against sleep, in words, and until when it does."""


def check(
    machine: str,
    last_wake: datetime | None,
    shortest_awake_seconds: float,
    holds: Iterable[Hold],
    rules: Iterable[Rule],
    away_until: datetime | None,
    planned: datetime | None,
    heard: Iterable[str],
    now: datetime,
) -> None:
    """Raises StaysAwake with all that speaks against sleep, and with the time when none of it does any more. ``heard``
    says in words which rooms hear something there, or from there."""
    found = [
        *_just_woken(last_wake, shortest_awake_seconds, now),
        *_held(holds, now),
        *([] if away_until else _ruled(rules, now)),
        *_planned(planned, now),
        *((words, now + NAP) for words in heard),
    ]
    if found:
        until = max(until for _, until in found)
        raise StaysAwake(machine, tuple(words for words, _ in found), until.isoformat())


def next_wake(
    rules: Iterable[Rule], needed: Iterable[datetime | None], away_until: datetime | None, now: datetime
) -> datetime | None:
    """When it is to be awake by plan: by a rule, by a scene, or by what the machine says itself. While nobody is at
    home, nothing is planned."""
    after = away_until or now
    begins = [rule.next_begin(after) for rule in rules if rule.wakes]
    return min([*begins, *(at for at in needed if at is not None and at > after)], default=None)


def _just_woken(last_wake: datetime | None, seconds: float, now: datetime) -> Iterator[Objection]:
    """A wake in the future is the work of a clock that was set back, and holds nobody awake."""
    if last_wake is not None and last_wake <= now < (until := last_wake + timedelta(seconds=seconds)):
        yield f"it woke {(now - last_wake).total_seconds():.0f} s ago, and is awake for {seconds:g} s at least", until


def _held(holds: Iterable[Hold], now: datetime) -> Iterator[Objection]:
    for hold in holds:
        if hold.until > now:
            yield f"{hold.who} holds it awake until {hold.until:%Y-%m-%d %H:%M} UTC: {hold.reason}", hold.until


def _ruled(rules: Iterable[Rule], now: datetime) -> Iterator[Objection]:
    for rule in rules:
        if until := rule.holds_until(now):
            yield f"a rule holds it awake until {until:%Y-%m-%d %H:%M} UTC: {rule.note or rule.in_words}", until


def _planned(planned: datetime | None, now: datetime) -> Iterator[Objection]:
    if planned is not None and planned - now < EARLY + NAP:
        yield f"it is to be awake at {planned:%Y-%m-%d %H:%M} UTC, as is planned", planned
