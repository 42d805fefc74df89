"""What an upgrade will cost the conductors: each object that an older peer reads is translated for it, until it is new.

From the replies that were counted, by object and by who asked, and from the manifests of both releases follows how many
objects a second will be translated, and from that how much of a core it takes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from midflight.conductor.interface import Fleet
from midflight.conductor.traffic import Traffic
from midflight.rpc.rights import CONDUCTOR
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.versions import Manifest

LEAVING_OUT_SECONDS, REWRITING_SECONDS = 3e-6, 60e-6
"""What one object costs more: where fields are only left out, and where a named backport rewrites it. The upper ends of
what was measured with an object of 23 fields that holds another one, on CPython 3.11."""
SHARE = 0.25
"""How much of a conductor's core translations may take."""


@dataclass(frozen=True)
class Forecast:
    """Numbers per second, at the busier of the last minutes and the hour before them."""

    by_object: dict[str, float] = field(default_factory=dict)
    """Object → how many of it will be translated."""
    cores: float = 0.0
    """What that takes, of one core."""
    conductors: int = 0
    """Those that are there."""
    minutes: float = 0.0
    """How long traffic was counted."""

    @property
    def translations(self) -> float:
        """All objects together."""
        return sum(self.by_object.values())

    @property
    def add(self) -> int:
        """How many conductors to add, so that none spends more than SHARE of its core on translations."""
        return max(0, math.ceil(self.cores / SHARE) - self.conductors)


def forecast(fleet: Fleet, aim: Aim) -> Forecast:
    """For the time in which the control services are new and the agents are not."""
    rates = [_rates(traffic, fleet, aim) for traffic in fleet.traffic]
    busiest: Counter[str] = max(rates, key=lambda rate: rate.total(), default=Counter())
    return Forecast(
        by_object=dict(sorted(busiest.items())),
        cores=sum(rate * _seconds_of(name, aim) for name, rate in busiest.items()),
        conductors=sum(member.service == CONDUCTOR for member in roster.active(fleet)),
        minutes=sum(traffic.seconds for traffic in fleet.traffic) / 60,
    )


def _rates(traffic: Traffic, fleet: Fleet, aim: Aim) -> Counter[str]:
    found = Counter[str]()
    for name, readers in traffic.reads.items():
        for reader, number in readers.items():
            service, _, digest = reader.partition(" ")
            if _stays_old(service, aim) and _is_older(name, _manifest(digest, fleet, aim), aim):
                found[name] += number / traffic.seconds  # type: ignore[assignment]  # a Counter of rates
    return found


def _stays_old(service: str, aim: Aim) -> bool:
    """Other services are new by the time that all conductors are; agents, scripts and guests come later."""
    return service in aim.agents or service not in aim.services


def _manifest(digest: str, fleet: Fleet, aim: Aim) -> Manifest:
    """What who has this digest understands. One that no member has is taken for the release before."""
    release = next((member.release for member in fleet.members if member.manifest == digest), aim.previous or "")
    return aim.manifests.get(release, Manifest({}))


def _is_older(name: str, theirs: Manifest, aim: Aim) -> bool:
    ours = aim.manifests[aim.target]
    return name in ours and name in theirs and theirs[name] < ours[name]


def _seconds_of(name: str, aim: Aim) -> float:
    before = aim.manifests[aim.previous].get(name) if aim.previous else None
    rewritten = before is not None and any(before < version for version in aim.rewrites.get(name, ()))
    return REWRITING_SECONDS if rewritten else LEAVING_OUT_SECONDS
