"""The two windows: how far apart the releases of a fleet may be, on the wire and at the database.

Whoever knows both releases judges: a conductor knows those before its own, and a member that starts those before its
own. A release that is frozen in neither copy of the project cannot be judged, and may join.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

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

    def too_far(other: str, other_opens: bool) -> bool:
        apart = distance(release, other, project.releases)
        return apart > project.skew_window or (opens and other_opens and apart > project.store_window)

    columns = tables.members.c
    there = select(columns.release, columns.database).where(columns.state.not_in(ASIDE)).distinct()
    if not any(too_far(other, other_opens) for other, other_opens in connection.execute(there)):
        return
    everyone = members.everyone(connection, at)
    if distant := [each for each in everyone if each.state not in ASIDE and too_far(each.release, each.database)]:
        who = ", ".join(f"{each.service}@{each.host} ({each.release}, {each.state})" for each in distant[:_MOST_NAMED])
        more = f" and {len(distant) - _MOST_NAMED} more" if len(distant) > _MOST_NAMED else ""
        _refuse(service, release, {each.release for each in distant}, f"{who}{more}", project)


def check_view(view: FleetView, project: Project, service: str, release: str) -> None:
    """The same for who does not see the rows, by what a view says that others understand."""
    digests = {digest for hosts in view.peers.values() for digest in hosts.values()}
    present = {_named(Manifest.from_wire(view.manifests[digest]), project) for digest in digests}
    if distant := {each for each in present if distance(release, each, project.releases) > project.skew_window}:
        _refuse(service, release, distant, ", ".join(sorted(distant)), project)


def check_pin(connection: Connection, project: Project, release: str) -> None:
    """Raises StepBlocked for a pin that is too old for a member to speak."""
    columns = tables.members.c
    there = connection.execute(select(columns.release).where(columns.state.not_in(ASIDE)).distinct()).scalars()
    newer = {each for each in there if distance(release, each, project.releases) > project.skew_window}
    if later := [name for name in families(project.releases) if name in {Release.family_of(each) for each in newer}]:
        reason = f"{' and '.join(later)} in the fleet speak with at most {project.skew_window} before their own"
        raise StepBlocked(step=f"Pinning to {release}", reason=f"{reason}: pin a nearer one, or auto")


def mark_outdated(everyone: Sequence[Member], project: Project) -> None:
    """Who is asleep, and would not be let in any more by those who are awake, is called outdated."""
    awake = {each.release for each in everyone if each.state in (State.ACTIVE, State.DRAINING)}
    for each in everyone:
        window = project.store_window if each.database else project.skew_window
        if each.state == State.ASLEEP and any(distance(each.release, o, project.releases) > window for o in awake):
            each.state = State.OUTDATED.value
            each.reset_changes()


def _named(manifest: Manifest, project: Project) -> str:
    """The latest release that says what a manifest says, if there is one."""
    names = [release.name for release in project.releases if not _contradiction(release, manifest)]
    return names[-1] if names else ""


def families(releases: Iterable[Release]) -> list[str]:
    """The releases without their fixes, oldest first."""
    return list(dict.fromkeys(release.family for release in releases))


def distance(one: str, other: str, releases: Sequence[Release]) -> int:
    """How many releases lie between two, fixes not counted; 0 where one of them is not known."""
    known = families(releases)
    places = [known.index(family) for name in (one, other) if (family := Release.family_of(name)) in known]
    return abs(places[0] - places[1]) if len(places) == 2 else 0


def _refuse(service: str, release: str, distant: Collection[str], who: str, project: Project) -> None:
    known = families(project.releases)
    places = sorted(known.index(Release.family_of(name)) for name in {release, *distant})
    own, path = known.index(Release.family_of(release)), known[places[0] : places[-1] + 1]
    apart, way = _windows(project), " → ".join(path)
    reason = f"its releases may be at most {apart} apart, and there is {who}. The path is {way}"
    if own == places[0]:
        way = f"start it with the code of {' or '.join(path[1:])}"
    else:
        first = next(name for name in known if known.index(name) > places[0])
        way = f"bring those to {first} first, or retire who is gone (midflight fleet retire)"
    raise OutsideWindow(service=service, release=release, reason=f"{reason}: {way}")


def _windows(project: Project) -> str:
    skew, store = project.skew_window, project.store_window
    return f"{skew}" if skew == store else f"{skew} (at the database {store})"
