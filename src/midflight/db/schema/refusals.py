"""Why something must not be taken away yet: each reason with the name of who or what stands against it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select

from midflight.db import forms, tables
from midflight.db.clock import now
from midflight.db.floor import present_floor
from midflight.db.schema.removals import Removal
from midflight.db.write_form import Form
from midflight.versions import Place

RETIRED = "retired"
"""The state of a member that no longer counts, as it stands in its row."""


@dataclass(frozen=True)
class Reader:
    """A release with its place in the history, and the things that its code uses; None where nobody has written them
    down, so that it may use all."""

    release: str
    place: Place
    things: frozenset[str] | None

    def uses(self, thing: str) -> bool:
        return self.things is None or thing in self.things


def unproven(connection: Connection, migrations: Sequence[str]) -> Iterator[str]:
    """Data migrations whose old form is still the truth: only a proven one comes to ``new``."""
    for name in migrations:
        form = forms.current_of(connection, name)
        if form is Form.NEW:
            continue
        row = tables.data_migrations
        state = connection.execute(select(row.c.state).where(row.c.name == name)).scalar_one_or_none()
        if state != "proven":
            yield f"data migration {name} is {state or 'pending'}, and not proven: midflight data run {name}"
        else:
            yield f"data migration {name} is proven, and at '{form}': midflight upgrade finalize"


def read_by(connection: Connection, removals: Sequence[Removal], readers: Sequence[Reader], own: str) -> Iterator[str]:
    """Who still uses what goes: this code, members, and releases that may come back while the store floor lets them."""
    users = {reader.release: used for reader in readers if (used := _used(reader, removals, own, readers))}
    if own in users and removals:
        yield f"this code ({own}) itself has {users[own]} in its tables"
    members = tables.members
    present = select(members.c.id, members.c.release).where(members.c.state != RETIRED).order_by(members.c.id)
    known = {reader.release for reader in readers} | {own}
    for member, release in connection.execute(present):
        if release in users and release != own:
            yield f"member {member} is of release {release}, which uses {users[release]}"
        elif release not in known:
            yield f"member {member} is of release {release}, of which nothing is known here"
    yield from _may_come_back(connection, readers, users, own)


def _used(reader: Reader, removals: Sequence[Removal], own: str, readers: Sequence[Reader]) -> str:
    """What of it a release uses. Where a revision says nothing that it takes away, all that came before may be hurt."""
    if not removals:
        before = any(reader.place < each.place for each in readers if each.release == own)
        return "what it changes, perhaps" if before or own not in {each.release for each in readers} else ""
    if reader.things is None and reader.release == own:
        return ""
    return ", ".join(removal.thing for removal in removals if reader.uses(removal.thing))


def _may_come_back(
    connection: Connection, readers: Sequence[Reader], users: Collection[str], own: str
) -> Iterator[str]:
    name, floor = present_floor(connection, {reader.release: reader.place for reader in readers})
    for reader in readers:
        if reader.release in users and reader.release != own and reader.place >= floor:
            what = f"is {name}" if name else "was never raised"
            yield f"release {reader.release} may come back: the store floor {what} (midflight upgrade finalize)"


def too_early(connection: Connection, revision: str, hold: timedelta) -> Iterator[str]:
    """It is hidden for too short a time, or not at all."""
    row = tables.contracts
    found = connection.execute(select(row.c.state, row.c.held_at).where(row.c.revision == revision)).one_or_none()
    if found is None:
        yield "it was not hidden yet: midflight db contract --hold"
    elif found.held_at is not None and (left := found.held_at + hold - now()) > timedelta():
        yield f"it is hidden since {found.held_at:%Y-%m-%d %H:%M} UTC, and to stay so for {_in_words(left)} more"


def _in_words(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
