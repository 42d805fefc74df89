"""The store floor: the oldest release that must still read what is written. Who opens the database may not be older."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from midflight.conductor import members
from midflight.conductor.interface import Member
from midflight.db import forms, journal
from midflight.db.clock import now
from midflight.db.floor import NO_FLOOR, present_floor
from midflight.db.store import Store
from midflight.db.tables import floor, schema
from midflight.db.write_form import Form
from midflight.errors import OutsideWindow, ProjectError, StepBlocked
from midflight.project import Project
from midflight.versions import Manifest, Place, Release, places

_ROW = 1
_JOINED: Final = "member.joined"


def raise_to(connection: Connection, release: str, known: Sequence[Release]) -> bool:
    """Let nobody older than a release open the database any more, and say whether the floor rose; one that is as high
    already stays. Whoever lets it rise begins an epoch.

    Raises StepBlocked for a release that is not frozen, and while somebody older is a member with the database open.
    """
    place = places(known).get(release)
    if place is None:
        reason = (
            f"the conductor's copy of the project has no frozen release {release!r}: freeze it, and deploy it there"
        )
        raise StepBlocked(step=f"Raising the store floor to {release}", reason=reason)
    if place <= present_floor(connection, places(known))[1]:
        return False
    refuse_older(connection, f"Raising the store floor to {release}", release, known)
    connection.execute(delete(floor))
    connection.execute(insert(floor).values(id=_ROW, store_floor=release, sequence=place[1]))
    journal.write(connection, "store_floor.raised", {"release": release})
    return True


def admit(connection: Connection, service: str, release: str, known: Sequence[Release]) -> None:
    """Raises OutsideWindow for code that is too old to read what is written.

    Code that was never frozen counts as newer than every release that lies beside it.
    """
    name, lowest = present_floor(connection, places(known))
    if _place_of(release, known) < lowest:
        reason = f"rows are written that only {name} and later can read; start it with the code of such a release"
        raise OutsideWindow(service=service, release=release, reason=reason)


def store(connection: Connection, own: Manifest, known: Sequence[Release]) -> Store:
    """For whom a process of this code writes. Until a floor is raised, each release since the schema was first expanded
    may still read what is written."""
    name, raised = present_floor(connection, places(known))
    return Store(own, known, raised if name else _first_expanded(connection, known))


def _first_expanded(connection: Connection, known: Sequence[Release]) -> Place | None:
    at = places(known)
    expanded = connection.execute(select(schema.c.release).order_by(schema.c.id)).scalars()
    return next((at[release] for release in expanded if release in at), None)


def is_older(release: str, than: str, known: Sequence[Release]) -> bool:
    """Whether code of one release is older than another, frozen one."""
    place = places(known).get(than)
    return place is not None and _place_of(release, known) < place


def refuse_older(connection: Connection, step: str, release: str, known: Sequence[Release]) -> None:
    """Raises StepBlocked while somebody older than a frozen release is a member with the database open."""
    everyone = members.everyone(connection, now())
    older = [each for each in everyone if each.database and is_older(each.release, release, known)]
    if older:
        who = ", ".join(f"{each.service}@{each.host} ({each.release}, {each.state})" for each in older)
        reason = f"the database is still open to {who}: deploy {release} there, or retire who is gone"
        raise StepBlocked(step=step, reason=reason)


def refuse_renamed(connection: Connection, project: Project) -> None:
    """Raises ProjectError for a data migration of a finalized release that has another name than it had then.

    By that name its form is *new*; by another one it would begin anew, and rows that have moved be read, and written,
    from what has been left in their old form.
    """
    written, at = forms.current(connection), places(project.releases)
    _, floor = present_floor(connection, at)
    moved = sorted(name for name, form in written.items() if form is Form.NEW and name not in project.migrations)
    for migration in project.migrations.values() if moved else ():
        if migration.name not in written and migration.release in at and at[migration.release] <= floor:
            reason = (
                f"is of {migration.release}, which is finalized, and not among those that have moved rows "
                f"({', '.join(moved)}): if it had that name, give it back, or rows that have moved are taken for old "
                "ones; if it is a new one, name the release that brings it"
            )
            raise ProjectError(where=f"data migration {migration.name}", reason=reason)


def note_joined(connection: Connection, member: Member) -> None:
    """Write into the journal who is a member from now on."""
    said = {"member": member.id, "release": member.release, "database": member.database}
    journal.write(connection, _JOINED, said)


def refuse_joined(connection: Connection, step: str, release: str, known: Sequence[Release], since: int) -> None:
    """Raises StepBlocked where somebody older than a frozen release has opened the database since an entry of the
    journal, though it may have left again. A conductor that does not say whether it did, or who it was, is too old
    itself."""
    older = [
        f"{each.facts['member']} ({each.facts.get('release', 'of an unknown release')})"
        for each in journal.read(connection, since, _JOINED)
        if each.facts.get("database", True)
        and ("release" not in each.facts or is_older(each.facts["release"], release, known))
    ]
    if older:
        reason = f"meanwhile the database was opened by {', '.join(older)}, who may have changed rows; do it again"
        raise StepBlocked(step=step, reason=reason)


def _place_of(release: str, known: Sequence[Release]) -> Place:
    at = places(known)
    return at.get(release, max(at.values(), default=NO_FLOOR))
