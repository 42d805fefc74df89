"""Who is in the fleet, as an operator asks: who is lost, who is behind, who runs what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from midflight.conductor.interface import Fleet, Member, State


def named(member: Member) -> str:
    """``api@web-1``."""
    return f"{member.service}@{member.host}"


def names(members: Iterable[Member]) -> str:
    """``api@web-1, api@web-2``, sorted."""
    return ", ".join(sorted(map(named, members))) or "nobody"


def ago(seconds: float) -> str:
    """``3 s``, ``12 min``, ``5 h``, ``2 d``: what a person needs of an age."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


ASIDE = (State.ASLEEP.value, State.OUTDATED.value)
"""The states of members that nobody waits for: they hold no pin down, and are told to upgrade when they wake."""


def aside(members: Iterable[Member]) -> list[Member]:
    """Those that are asleep, or too old to be let in when they wake."""
    return [member for member in members if member.state in ASIDE]


def awake(members: Iterable[Member]) -> list[Member]:
    """All others."""
    return [member for member in members if member.state not in ASIDE]


def in_state(fleet: Fleet, state: State) -> list[Member]:
    """The members in one state."""
    return [member for member in fleet.members if member.state == state.value]


def active(fleet: Fleet) -> list[Member]:
    """The members that are alive and take work."""
    return in_state(fleet, State.ACTIVE)


def lives(member: Member) -> bool:
    """Whether its beats come, though it may be about to leave."""
    return member.state in (State.ACTIVE, State.DRAINING)


def lost(fleet: Fleet) -> list[Member]:
    """The members whose beats stopped. They may be dead, or alive and cut off."""
    return in_state(fleet, State.LOST)


def behind(fleet: Fleet, epoch: int) -> list[Member]:
    """The active members that have not acknowledged an epoch."""
    return [member for member in active(fleet) if member.epoch < epoch]


def openers_behind(fleet: Fleet, epoch: int) -> list[Member]:
    """Those that may write to the database without having acknowledged an epoch; the lost too, for they may live on."""
    return [member for member in openers(fleet.members) if member.epoch < epoch and member.state != State.DRAINING]


def openers(members: Iterable[Member]) -> list[Member]:
    """Those that open the database themselves."""
    return [member for member in members if member.database]


def counted(words: Iterable[str]) -> str:
    """``2 juno, 7 kilo``: how many of each, by name."""
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items())) or "none"
