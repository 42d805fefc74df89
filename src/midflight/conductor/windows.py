"""The two windows: how far apart the releases of a fleet may be, on the wire and at the database.

Whoever knows both releases judges: a conductor knows those before its own, and a member that starts those before its
own. Who opens the database asks nobody else, and may be older than all others: so each such member leaves the order of
the releases that it knows beside its row. A release that nobody there has frozen cannot be judged, and may join.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from midflight.conductor import members
from midflight.conductor.contract import FRAMEWORK
from midflight.conductor.interface import FleetView, Member, State
from midflight.conductor.members import ASIDE
from midflight.db import tables
from midflight.errors import OutsideWindow, StepBlocked
from midflight.project import Project
from midflight.versions import Manifest, Release

_MOST_NAMED = 5
_KEPT = "order"
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

    @classmethod
    def latest(cls, connection: Connection, project: Project) -> Order:
        """That, or the longest that a member which opens the database has left."""
        columns = tables.members.c
        there = select(columns.facts).where(columns.database, columns.state.not_in(ASIDE))
        kept = [facts[_KEPT] for facts in connection.execute(there).scalars() if _KEPT in facts]
        left = [cls(*(each[name] for name in cls._fields)) for each in kept]  # a later midflight may keep more
        return max((cls.of(project), *left), key=lambda order: len(order.families))

    def to_keep(self) -> dict[str, Any]:
        """Beside a member's row."""
        return {_KEPT: self._asdict()}

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


def check_rows(
    connection: Connection, project: Project, service: str, release: str, *, opens: bool, at: datetime
) -> None:
    """Raises OutsideWindow for a release that is too far from that of a member; ``opens`` the database, and from that
    of a member that opens it. Who is asleep, outdated or retired is no member in this."""
    order = Order.latest(connection, project)

    def too_far(other: str, other_opens: bool) -> bool:
        apart = order.apart(release, other)
        return apart > order.skew or (opens and other_opens and apart > order.store)

    columns = tables.members.c
    there = select(columns.release, columns.database).where(columns.state.not_in(ASIDE)).distinct()
    if not any(too_far(other, other_opens) for other, other_opens in connection.execute(there)):
        return
    everyone = members.everyone(connection, at)
    if distant := [each for each in everyone if each.state not in ASIDE and too_far(each.release, each.database)]:
        who = ", ".join(f"{each.service}@{each.host} ({each.release}, {each.state})" for each in distant[:_MOST_NAMED])
        more = f" and {len(distant) - _MOST_NAMED} more" if len(distant) > _MOST_NAMED else ""
        _refuse(service, release, {each.release for each in distant}, f"{who}{more}", order)


def check_view(view: FleetView, project: Project, service: str, release: str) -> None:
    """The same for who does not see the rows, by what a view says that others understand."""
    digests = {digest for hosts in view.peers.values() for digest in hosts.values()}
    present = {_named(Manifest.from_wire(view.manifests[digest]), project) for digest in digests}
    order = Order.of(project)
    if distant := {each for each in present if order.apart(release, each) > order.skew}:
        _refuse(service, release, distant, ", ".join(sorted(distant)), order)


def check_pin(connection: Connection, project: Project, release: str) -> None:
    """Raises StepBlocked for a pin that is too old for a member to speak."""
    columns = tables.members.c
    there = connection.execute(select(columns.release).where(columns.state.not_in(ASIDE)).distinct()).scalars()
    order = Order.latest(connection, project)
    newer = {Release.family_of(each) for each in there if order.apart(release, each) > order.skew}
    if later := [name for name in order.families if name in newer]:
        reason = f"members of {' and '.join(later)} speak at most {order.skew} before their own release"
        raise StepBlocked(step=f"Pinning to {release}", reason=f"{reason}: pin a nearer one, or auto")


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


def _refuse(service: str, release: str, distant: Collection[str], who: str, order: Order) -> None:
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
