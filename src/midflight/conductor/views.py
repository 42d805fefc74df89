"""The view of the fleet that every member is given, made from the rows."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from midflight.conductor import manifests, members, pins
from midflight.conductor.floors import NO_VIEW
from midflight.conductor.interface import FleetView, MemberAPI, State
from midflight.conductor.members import Kind, Peer
from midflight.conductor.pins import Pin
from midflight.db import forms
from midflight.db.engine import Database
from midflight.db.epoch import current_epoch
from midflight.versions import Manifest

FRESH_SECONDS = 1.0
"""For so long a conductor answers from the same view, unless it knows of a change: beats are cheap in a large fleet."""

SHARE = 0.02
"""Of a conductor's time, at most, goes into looking for changes of which it does not know: the view of a fleet that is
so large that it takes longer to read holds longer."""


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


def load_view(connection: Connection, at: datetime) -> FleetView:
    """The view at this moment."""
    everyone, pinned = members.present(connection, at), pins.current(connection)
    present = [each for each in everyone if each.state != State.ASLEEP]
    known = manifests.find(connection, [m.manifest for m in present] + [pin.manifest for pin in pinned])
    written = {name: form.value for name, form in forms.current(connection).items()}
    return view_of(present, known, pinned, written, current_epoch(connection), at)


def _load(connection: Connection, at: datetime) -> tuple[FleetView, set[Kind], float]:
    """With the seconds of CPU time that it took."""
    began = time.thread_time()
    view, kinds = load_view(connection, at), members.kinds(connection)
    return view, kinds, time.thread_time() - began


class _Look(NamedTuple):
    """What one look at the rows has found. ``change`` is the last change that was known when it began."""

    view: FleetView
    kinds: set[Kind]
    change: int
    until: float
    """When it is too old to be answered with."""


class Views:
    """The present view, read again when it is a second old or known to be out of date."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], write_beats: Callable[[], Awaitable[None]]
    ) -> None:
        self._database, self._clock, self._write_beats = database, clock, write_beats
        self._change = 0
        self._last = _Look(NO_VIEW, set(), -1, 0.0)
        self._looking: tuple[int, asyncio.Task[_Look]] | None = None
        """The look that is under way, with the last change that it knows."""
        self._short = NO_VIEW, NO_VIEW
        """A view, and the short one of it."""

    async def current(self, epoch: int = 0) -> FleetView:
        """The view; never one from before ``epoch``, which the caller knows to exist."""
        last, looking = self._last, self._looking
        if last.change == self._change and last.view.epoch >= epoch and (looking or time.monotonic() <= last.until):
            return last.view
        if looking is not None and looking[0] == self._change:  # one look is enough for all who ask meanwhile
            found = await asyncio.shield(looking[1])
            if found.view.epoch >= epoch:
                return found.view
        return (await asyncio.shield(self._begin())).view

    def _begin(self) -> asyncio.Task[_Look]:
        task = asyncio.create_task(self._look(self._change))
        self._looking = self._change, task
        task.add_done_callback(self._looked)
        return task

    async def _look(self, change: int) -> _Look:
        await self._write_beats()  # so that nobody seems lost who was heard here
        view, kinds, took = await self._database.read(_load, self._clock())
        return _Look(view, kinds, change, time.monotonic() + max(FRESH_SECONDS, took / SHARE))

    def _looked(self, task: asyncio.Task[_Look]) -> None:
        if self._looking is not None and self._looking[1] is task:
            self._looking = None
        if not task.cancelled() and task.exception() is None and task.result().change >= self._last.change:
            self._last = task.result()

    async def current_short(self, epoch: int = 0) -> FleetView:
        """The short one of that."""
        view = await self.current(epoch)
        if self._short[0] is not view:
            self._short = view, short(view)
        return self._short[1]

    def covers(self, kind: Kind) -> bool:
        """Whether the last view was read when there were members of this kind."""
        return kind in self._last.kinds

    def know(self, service: str, manifest: str) -> bool:
        """Whether the last view was read when there was a member of this service with this manifest."""
        return any(kind[:2] == (service, manifest) for kind in self._last.kinds)

    def forget(self) -> None:
        """Something has changed: read again at the next question."""
        self._change += 1


def covers(manifest: Manifest, other: Manifest) -> bool:
    """Whether who understands ``manifest`` understands all that is said under ``other``."""
    return all(name in manifest and manifest[name] >= version for name, version in other.items())
