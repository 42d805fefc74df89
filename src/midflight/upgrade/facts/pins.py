"""Facts about pins: the fleet's, and those of members' own configurations."""

from __future__ import annotations

from collections.abc import Iterator

from midflight.conductor.interface import Fleet
from midflight.upgrade import kinds
from midflight.upgrade.aim import Aim
from midflight.upgrade.roster import named
from midflight.upgrade.verdict import Fact, bad, good, missing, tells, warning


@tells(kinds.PIN)
def pins(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Pins that hold the wire at a release before the target."""
    way_out = f"midflight pin set {aim.previous}" if aim.previous else None
    if not fleet.pins:
        yield warning("no pin is set: a message goes out in what all members of its topic understand (auto)", way_out)
    for topic, pinned in sorted(fleet.pins.items()):
        words = f"{'everything' if topic == '*' else topic} is pinned to {pinned}"
        release = aim.pinned_to(topic, pinned)
        if release is None:
            yield missing(f"{words}, which this copy of the project does not know", way_out, topic)
        elif aim.reached(release):
            yield bad(f"{words}, which the release before {aim.target} does not understand", way_out, topic)
        else:
            yield good(words, topic)


@tells(kinds.OVERRIDE)
def overridden(fleet: Fleet) -> Iterator[Fact]:
    """Local pins that say something else than the fleet's. Without one of the fleet there is nothing to differ from."""
    for member in fleet.members:
        for topic, release in sorted(member.overrides.items()):
            pinned = _pin_of(fleet, topic)
            words, about = f"{named(member)} overrides {topic} with {release}", f"{named(member)}.{topic}"
            if pinned is None:
                yield warning(f"{words} in its own configuration", about=about)
            elif release != pinned:
                way_out = f"take it out of {member.host}'s configuration"
                yield bad(f"{words}; the fleet's pin is {pinned}", way_out, about)


def _pin_of(fleet: Fleet, topic: str) -> str | None:
    return fleet.pins.get(topic, fleet.pins.get("*"))


@tells(kinds.OVERRIDE)
def kept_pins(fleet: Fleet, aim: Aim) -> Iterator[Fact]:
    """Who stays pinned to an older release by its own configuration, once the fleet's pin is cleared."""
    for member in fleet.members:
        for topic, release in sorted(member.overrides.items()):
            if not aim.reached(aim.pinned_to(topic, release) or "") and release != "auto":
                words = f"{named(member)} keeps {topic} at {release} by its own configuration, whatever the fleet does"
                yield warning(words, f"take it out of {member.host}'s configuration", f"{named(member)}.{topic}")
