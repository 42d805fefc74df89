"""Members come and go: who is admitted, what is written down of it, and who has to learn of it at once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from midflight.conductor import manifests, members, store_floor, window_rows, windows
from midflight.conductor.interface import Member
from midflight.conductor.peers import ASIDE
from midflight.conductor.views import covers
from midflight.db import journal
from midflight.db.epoch import current_epoch
from midflight.errors import InvalidValue
from midflight.project import Project
from midflight.versions import Manifest

_DRAINS, _LATEST_DRAINS = ("member.drained", "member.undrained"), 500


def manifest_of(given: dict[str, list[str]]) -> Manifest:
    """What a member says that it understands. Raises InvalidValue."""
    try:
        return Manifest.from_wire(given)
    except (ValueError, IndexError) as wrong:
        raise InvalidValue(path="hello(manifest)", received=repr(given)[:200], expected=str(wrong)) from None


def admit(connection: Connection, member: Member, project: Project, at: datetime) -> None:
    """Raises OutsideWindow for one that is no member yet, or was asleep, and is too far from those who are."""
    if not members.is_member(connection, member.id):
        window_rows.check_rows(connection, project, member.service, member.release, opens=member.database, at=at)


def register(
    connection: Connection, member: Member, manifest: Manifest, project: Project, at: datetime
) -> tuple[bool, int]:
    """Says whether somebody may believe that it understands more than it does: then all are told at once, and not at
    their next beats. And the epoch, whoever set it: from here on it hears of each change itself. Raises OutsideWindow
    for one that opens the database and is below the store floor, though it was a member before."""
    digest = manifests.keep(connection, manifest)
    if digest != member.manifest:
        raise InvalidValue(path="hello(member).manifest", received=member.manifest, expected=digest)
    if member.database:
        store_floor.admit(connection, member.service, member.release, project.releases)
    lower = bool(member.topics) and _is_lower(connection, member, manifest)
    beside = windows.Order.of(project).to_keep() if member.database else None
    before = members.register(connection, member, at, beside)
    # One that opens the database and was retired may write again: who compares rows meanwhile must learn of it.
    if before is None or (member.database and before in ASIDE):
        store_floor.note_joined(connection, member)
    elif before != member.state:
        members.note_state(connection, member.id, member.state)
    return lower, current_epoch(connection)


def _is_lower(connection: Connection, member: Member, manifest: Manifest) -> bool:
    """Whether it is said to understand more: by what its predecessor on this host understood, or, if it is the first of
    its kind, by what all of its service did."""
    others = members.manifests_of(connection, member.service, member.host)
    if not members.has_alike(connection, member):
        others |= members.manifests_of(connection, member.service)
    return not all(covers(manifest, other) for other in manifests.find(connection, others).values())


def retire(connection: Connection, member: str, act: journal.Kind = "member.retired") -> bool:
    """It is no member any more; says whether it was one."""
    retired = members.retire(connection, member)
    if retired:
        journal.write(connection, act, {"member": member})
    return retired


def note_drain(connection: Connection, member: str, undo: bool) -> bool:
    """Each order once: it is asked again and again whether it is done. Says whether it is a new one."""
    act: journal.Kind = "member.undrained" if undo else "member.drained"
    said = [each for kind in _DRAINS for each in journal.read(connection, kind=kind, latest=_LATEST_DRAINS)]
    about = [each for each in sorted(said, key=lambda each: each.id) if each.facts["member"] == member]
    if is_new := not about or about[-1].kind != act:
        journal.write(connection, act, {"member": member})
    return is_new
