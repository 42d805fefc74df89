"""The view of the fleet that every member is given: what it says of these members, and how it is told in short."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from midflight.conductor.interface import FleetView, MemberAPI, State
from midflight.conductor.peers import Peer
from midflight.conductor.pins import Pin
from midflight.versions import Manifest


def view_of(
    present: Sequence[Peer], known: Mapping[str, Manifest], pinned: Sequence[Pin], written: Mapping[str, str],
    epoch: int, at: datetime,
) -> FleetView:  # fmt: skip
    """The view of these members, pins and write forms. ``known`` has the manifest of every digest that they name."""
    table = dict(known)
    peers = _peers(present, table)
    named = {pin.manifest for pin in pinned}.union(*(hosts.values() for hosts in peers.values()))
    content: dict[str, Any] = {
        "epoch": epoch,
        "pins": {pin.topic: pin.release for pin in pinned},
        "pinned": {pin.topic: pin.manifest for pin in pinned},
        "peers": peers,
        "away": _away(present),
        "manifests": {digest: table[digest].to_wire() for digest in sorted(named)},
        "forms": dict(sorted(written.items())),
    }
    return _made(content, at)


def _made(content: Mapping[str, Any], at: datetime | None) -> FleetView:
    digest = hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()[:16]
    return FleetView(id=digest, at=at, **content)


_CONTENT = ("epoch", "pins", "pinned", "peers", "away", "manifests", "forms")


def short(view: FleetView) -> FleetView:
    """The same for who is one of many, and need not know each of them: of each topic, one host for each manifest. So it
    stays the same as long as the same kinds of members are there, and as small."""
    peers = {topic: _first_of_each(hosts) for topic, hosts in view.peers.items()}
    content = {name: getattr(view, name) for name in _CONTENT}
    return _made(content | {"peers": peers, "away": {}}, view.at)


def _first_of_each(hosts: Mapping[str, str]) -> dict[str, str]:
    first = {digest: host for host, digest in sorted(hosts.items(), reverse=True)}
    return {host: digest for digest, host in sorted(first.items())}


def lengthened(view: FleetView, before: FleetView) -> FleetView:
    """A short view with the hosts that were known before, each as one of the lowest kind of its topic, if there is one:
    until a long view comes, nobody is believed to understand more than he does."""
    known = {digest: Manifest.from_wire(text) for digest, text in view.manifests.items()}
    kept: dict[str, dict[str, str]] = {}
    for topic, hosts in view.peers.items():
        for digest in sorted(digests := set(hosts.values())):
            if all(covers(known[other], known[digest]) for other in digests):
                kept[topic] = dict.fromkeys(before.peers.get(topic, ()), digest)
    content = {name: getattr(view, name) for name in _CONTENT}
    peers = {topic: {**kept.get(topic, {}), **hosts} for topic, hosts in view.peers.items()}
    # Of a small fleet the long view can be the same as the short one: who holds what is neither must be told of it.
    same = peers == view.peers and before.away == view.away
    stands_for = view.id if same else f"{view.id} and what was known before"
    return FleetView(id=stands_for, at=view.at, **(content | {"peers": peers, "away": before.away}))


def _peers(present: Iterable[Peer], table: dict[str, Manifest]) -> dict[str, dict[str, str]]:
    """Topic → host → digest. Where two members share a host, what both understand; it is added to the ``table``."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for member in present:
        for topic in member.topics:
            found[topic][member.host].add(member.manifest)
    peers = {
        topic: {host: _shared(digests, table) for host, digests in sorted(hosts.items())}
        for topic, hosts in sorted(found.items())
    }
    return peers | {MemberAPI.topic: _one_of_each(present)}


def _shared(digests: set[str], table: dict[str, Manifest]) -> str:
    lowest = Manifest.lowest([table[digest] for digest in sorted(digests)])
    return table.setdefault(lowest.digest, lowest).digest


def _one_of_each(present: Iterable[Peer]) -> dict[str, str]:
    """For the topic on which everybody listens, one member for each distinct manifest says it all."""
    first = {m.manifest: m.id for m in reversed([*present])}  # so that one more changes nothing
    return {member: digest for digest, member in sorted(first.items())}


def _away(present: Sequence[Peer]) -> dict[str, list[str]]:
    here = {(topic, m.host) for m in present if m.state == State.ACTIVE for topic in m.topics}
    away: dict[str, set[str]] = defaultdict(set)
    for member in present:
        for topic in member.topics:
            if (topic, member.host) not in here:
                away[topic].add(member.host)
    return {topic: sorted(hosts) for topic, hosts in sorted(away.items())}


def covers(manifest: Manifest, other: Manifest) -> bool:
    """Whether who understands ``manifest`` understands all that is said under ``other``."""
    return all(name in manifest and manifest[name] >= version for name, version in other.items())
