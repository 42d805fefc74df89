"""The wire floor: under which manifest this member sends to whom.

What a member obeys is, in this order: a pin in its own configuration, the fleet's pin for the topic, the fleet's pin
for all topics, and else ``auto``: the lowest that the members of the topic understand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from midflight.conductor.contract import FRAMEWORK
from midflight.conductor.interface import ConductorAPI, FleetView
from midflight.conductor.pins import EVERY_TOPIC
from midflight.rpc.floors import Floors
from midflight.versions import Manifest, Version

NO_VIEW = FleetView(id="", epoch=0)
"""What a member obeys that has never heard of the others: pins of its own only."""


class PinFloors:
    """What this member sends under; implements ``rpc``'s Floors. The newest view replaces what was known before.

    ``own`` is what its code understands; ``overrides`` are the pins of its own configuration, None for ``auto``.
    """

    def __init__(self, own: Manifest, overrides: Mapping[str, Manifest | None] | None = None) -> None:
        self.own = own
        self.view = NO_VIEW
        self._overrides = dict(overrides or {})
        self._manifests: dict[str, Manifest] = {}
        self._floors: dict[tuple[str, str | None], Manifest] = {}

    def override(self, overrides: Mapping[str, Manifest | None]) -> None:
        """Obey these pins of the member's own configuration from now on, and no others."""
        self._overrides, self._floors = dict(overrides), {}

    @property
    def epoch(self) -> int:
        """The epoch of pins and forms that this member obeys."""
        return self.view.epoch

    def precedes(self, view: FleetView) -> bool:
        """Whether a view is no older than the one that is obeyed: messages and answers may overtake each other."""
        return _age(self.view) <= _age(view)

    def take(self, view: FleetView) -> None:
        """Obey a view from now on."""
        self._manifests = {digest: Manifest.from_wire(wire) for digest, wire in view.manifests.items()}
        self._floors = {}
        self.view = view

    def manifest_for(self, topic: str, host: str | None = None) -> Manifest:
        """What to encode under for a topic, or one host of it: never more than we understand ourselves."""
        if (topic, host) not in self._floors:
            self._floors[topic, host] = Manifest.lowest([self.own, self._theirs(topic, host)])
        return self._floors[topic, host]

    def manifests_of(self, topic: str) -> list[Manifest]:
        """What a fanout must be sent under, once for each: the pin, or what each kind of member understands."""
        if self._pin(topic) is not None:
            return [self.manifest_for(topic)]
        found = {lowest.digest: lowest for _, lowest in self._kinds(topic)}
        return list(found.values()) or [self.own]

    def audience(self, topic: str, manifest: Manifest) -> list[str]:
        """The digests of what those members understand with whom we share ``manifest``, one of ``manifests_of``."""
        return [digest for digest, lowest in self._kinds(topic) if lowest == manifest]

    def _kinds(self, topic: str) -> list[tuple[str, Manifest]]:
        """Each distinct manifest among the members of a topic, with the lower of it and ours."""
        digests = sorted(set(self.view.peers.get(topic, {}).values()))
        return [(digest, Manifest.lowest([self.own, self._manifests[digest]])) for digest in digests]

    def hosts(self, topic: str) -> list[str]:
        """The hosts of a topic that may get new work, sorted."""
        return sorted(set(self.view.peers.get(topic, ())) - set(self.view.away.get(topic, ())))

    def _theirs(self, topic: str, host: str | None) -> Manifest:
        pin, auto = self._pin(topic), self._auto(topic, host)
        return auto if pin is None else _with_framework(pin, auto)

    def _pin(self, topic: str) -> Manifest | None:
        """The pin that holds for a topic; None for auto."""
        for name in (topic, EVERY_TOPIC):
            if name in self._overrides:
                return self._overrides[name]
        for name in (topic, EVERY_TOPIC):
            if name in self.view.pinned:
                return self._manifests[self.view.pinned[name]]
        return None

    def _auto(self, topic: str, host: str | None) -> Manifest:
        """What the host understands, or all of the topic. A topic without members sets no floor."""
        peers = self.view.peers.get(topic, {})
        digests = [peers[host]] if host in peers else sorted(set(peers.values()))
        return Manifest.lowest([self._manifests[digest] for digest in digests]) if digests else self.own


_FIRST = Version(1, 0)


class FirstWords:
    """Floors for what every conductor understands, however old it is: hellos, beats and an operator's questions.

    A member speaks like this before it knows who listens, and when what it knows may be out of date.
    """

    def __init__(self, inner: Floors) -> None:
        self._inner = inner

    @property
    def epoch(self) -> int:
        """The epoch of the floors behind these."""
        return self._inner.epoch

    def manifest_for(self, topic: str, host: str | None = None) -> Manifest:
        """What to encode under: to conductors, their interface in its first version."""
        found = self._inner.manifest_for(topic, host)
        return found if topic != ConductorAPI.topic else Manifest({**found, topic: _FIRST}, found.readable_from)

    def manifests_of(self, topic: str) -> Sequence[Manifest]:
        """Those of the floors behind these."""
        return self._inner.manifests_of(topic)

    def audience(self, topic: str, manifest: Manifest) -> Collection[str]:
        """That of the floors behind these."""
        return self._inner.audience(topic, manifest)


def _with_framework(pin: Manifest, auto: Manifest) -> Manifest:
    """A pin is about the project's own words. midflight's stay under auto, whatever the release has frozen of them: it
    may have been frozen with another midflight than that of who listens."""
    theirs = {name: version for name, version in pin.items() if name not in FRAMEWORK}
    own = {name: version for name, version in auto.items() if name in FRAMEWORK}
    readable = {name: version for name, version in auto.readable_from.items() if name in own}
    return Manifest({**theirs, **own}, {**pin.readable_from, **readable})


def _age(view: FleetView) -> tuple[int, datetime]:
    return view.epoch, made_at(view)


def made_at(view: FleetView) -> datetime:
    """When a view was read from the rows."""
    return view.at or datetime.min.replace(tzinfo=UTC)
