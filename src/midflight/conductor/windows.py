"""The two windows: how far apart the releases of a fleet may be, on the wire and at the database.

Whoever knows both releases judges: a conductor knows those before its own, and a member that starts those before its
own. Who opens the database asks nobody else, and may be older than all others: so each such member leaves the order of
the releases that it knows beside its row. A release that nobody there has frozen cannot be judged, and may join.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from midflight.conductor.contract import FRAMEWORK
from midflight.conductor.interface import FleetView, Member, State
from midflight.errors import OutsideWindow
from midflight.project import Project
from midflight.versions import Manifest, Release

KEPT = "order"
"""Under this name it is among the facts beside a member's row."""


class Order(NamedTuple):
    """The releases that somebody knows, without their fixes and oldest first, and how far apart two of them may be."""

    families: Sequence[str]
    skew: int
    store: int

    @classmethod
    def of(cls, project: Project) -> Order:
        """As this copy of the project knows it."""
        return cls(families(project.releases), project.skew_window, project.store_window)

    def to_keep(self) -> dict[str, Any]:
        """Beside a member's row."""
        return {KEPT: self._asdict()}

    def apart(self, one: str, other: str) -> int:
        """How many releases lie between two, fixes not counted; 0 where one of them is not known."""
        places = [self.families.index(f) for name in (one, other) if (f := Release.family_of(name)) in self.families]
        return abs(places[0] - places[1]) if len(places) == 2 else 0

    def __str__(self) -> str:
        return f"{self.skew}" if self.skew == self.store else f"{self.skew} (at the database {self.store})"


def check_said(member: Member, manifest: Manifest, known: Sequence[Release]) -> None:
    """Raises OutsideWindow for a member that is not the release that it says it is."""
    for release in known:
        if release.name == member.release and (wrong := _contradiction(release, manifest)):
            reason = f"it says that it runs {release.name}, but {wrong}: deploy one release there, as a whole"
            raise OutsideWindow(service=member.service, release=member.release, reason=reason)


def _contradiction(release: Release, manifest: Manifest) -> str:
    for name, version in release.manifest.items():
        if name not in FRAMEWORK and manifest.get(name) != version:
            return f"its manifest has {name} {manifest.get(name) or 'not at all'}, and {release.name} has {version}"
    return ""


def check_view(view: FleetView, project: Project, service: str, release: str) -> None:
    """The same for who does not see the rows, by what a view says that others understand."""
    digests = {digest for hosts in view.peers.values() for digest in hosts.values()}
    present = {_named(Manifest.from_wire(view.manifests[digest]), project) for digest in digests}
    order = Order.of(project)
    if distant := {each for each in present if order.apart(release, each) > order.skew}:
        refuse(service, release, distant, ", ".join(sorted(distant)), order)


def mark_outdated(everyone: Sequence[Member], project: Project) -> None:
    """Who is asleep, and would not be let in any more by those who are awake, is called outdated."""
    awake = {each.release for each in everyone if each.state in (State.ACTIVE, State.DRAINING)}
    order = Order.of(project)
    for each in everyone:
        window = order.store if each.database else order.skew
        if each.state == State.ASLEEP and any(order.apart(each.release, other) > window for other in awake):
            each.state = State.OUTDATED.value
            each.reset_changes()


def _named(manifest: Manifest, project: Project) -> str:
    """The latest release that says what a manifest says, if there is one."""
    names = [release.name for release in project.releases if not _contradiction(release, manifest)]
    return names[-1] if names else ""


def families(releases: Iterable[Release]) -> list[str]:
    """The releases without their fixes, oldest first."""
    return list(dict.fromkeys(release.family for release in releases))


def refuse(service: str, release: str, distant: Collection[str], who: str, order: Order) -> None:
    """Raises OutsideWindow, with the path from one release to the others."""
    known = order.families
    places = sorted(known.index(Release.family_of(name)) for name in {release, *distant})
    own, path = known.index(Release.family_of(release)), known[places[0] : places[-1] + 1]
    reason = f"its releases may be at most {order} apart, and there is {who}. The path is {' → '.join(path)}"
    if own == places[0]:
        way = f"start it with the code of {' or '.join(path[1:])}"
    else:
        first = next(name for name in known if known.index(name) > places[0])
        way = f"bring those to {first} first, or retire who is gone (midflight fleet retire)"
    raise OutsideWindow(service=service, release=release, reason=f"{reason}: {way}")
