"""Who holds down what the fleet speaks, where no pin is set: nobody does so in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from midflight.conductor.interface import Fleet, Member, State
from midflight.conductor.pins import EVERY_TOPIC
from midflight.conductor.views import covers
from midflight.upgrade import roster
from midflight.upgrade.roster import ago, named
from midflight.versions import Manifest

MOST_NAMED = 3


@dataclass(frozen=True)
class Floor:
    """In which version a topic is spoken without a pin, and the members that do not understand more."""

    topic: str
    version: str
    holders: tuple[Member, ...]

    @property
    def because(self) -> str:
        """``because compute@host-17 (juno), last seen 3 d ago: retire it, or wait``; nothing where all are alike."""
        if not self.holders:
            return ""
        lost = [each for each in self.holders if each.state == State.LOST]
        told = ", ".join(map(_told, (lost or self.holders)[:MOST_NAMED]))
        more = len(self.holders) - MOST_NAMED
        others = f" and {more} more" if more > 0 else ""
        ways = ["retire it, or wait"] if lost else []
        ways += ["deploy a later release there"] if len(lost) < len(self.holders) else []
        return f"because {told}{others}: {'; '.join(ways)}"


@dataclass(frozen=True)
class Spoken:
    """One line of what is spoken: a topic, its pin or its version, and whose doing that is."""

    topic: str
    pin: str
    by: str


def spoken(fleet: Fleet, found: Iterable[Floor]) -> list[Spoken]:
    """The fleet's pins, then those of members' own configurations, then the floors of what nobody has pinned."""
    lines = [Spoken(named_topic(topic), release, "fleet") for topic, release in sorted(fleet.pins.items())]
    lines += [
        Spoken(topic, release, f"{named(member)}'s configuration")
        for member in fleet.members
        for topic, release in sorted(member.overrides.items())
    ]
    automatic = [] if EVERY_TOPIC in fleet.pins else [each for each in found if each.topic not in fleet.pins]
    return [*lines, *(Spoken(each.topic, each.version, f"auto {each.because}".rstrip()) for each in automatic)]


def named_topic(topic: str) -> str:
    """``all`` for the pin of every topic."""
    return "all" if topic == EVERY_TOPIC else topic


def _told(member: Member) -> str:
    heard = f", last seen {ago(member.age)} ago" if member.state == State.LOST else ""
    return f"{named(member)} ({member.release}){heard}"


def floors(fleet: Fleet, manifests: Mapping[str, Manifest], topics: Iterable[str]) -> list[Floor]:
    """The floor of each topic on which somebody takes work. ``manifests`` are those of the members, by digest."""
    found = []
    for topic in sorted(topics):
        there = [m for m in roster.awake(fleet.members) if topic in m.topics and m.manifest in manifests]
        kinds = {member.manifest: manifests[member.manifest] for member in there}
        if kinds:
            lower = {d for d, own in kinds.items() if not all(covers(own, other) for other in kinds.values())}
            version = str(Manifest.lowest(kinds.values()).get(topic, "none"))
            found.append(Floor(topic, version, tuple(member for member in there if member.manifest in lower)))
    return found
