"""What a process that opens the database tries out before it takes work. The journal keeps what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError

from midflight.conductor.interface import JournalEntry, State
from midflight.db import journal
from midflight.db.clock import now
from midflight.db.tables import members
from midflight.errors import CannotBackport
from midflight.objects.shape import Shape
from midflight.project import Project

TESTED: Final = "member.tested"


def tried_out(connection: Connection, project: Project) -> dict[str, str]:
    """Read one row of every table, and find for every object a way to every frozen release of the skew window. Each
    with why it failed; empty where it did not. It only reads: a transaction that writes, and has read all tables, is
    in the way of everybody on a PostgreSQL, and they in its own."""
    tried: dict[str, Callable[[], str]] = {
        **{f"read {name}": _reading(connection, project, name) for name in _tables(project)},
        "older versions": lambda: ", ".join(_without_way(project)),
    }
    return {what: test() for what, test in tried.items()}


def note(connection: Connection, tried: Mapping[str, str], member: str, release: str, schema: str) -> dict[str, Any]:
    """Write down what came of it, which tries out to write, too. ``schema`` is the digest of the revision files here.
    Returns what was written down; ``failed`` is empty where all is well."""
    failed = {what: why for what, why in tried.items() if why}
    facts = {
        "member": member,
        "release": release,
        "tried": len(tried),
        "failed": failed,
        "schema": schema,
    }
    entry = journal.write(connection, TESTED, facts)
    this, kept = members.c.id == member, {TESTED: {"id": entry, "at": now().isoformat(), **facts}}
    beside = connection.execute(select(members.c.facts).where(this)).scalar_one_or_none()
    if beside is not None:
        connection.execute(update(members).where(this).values(facts=beside | kept))
    return facts


def self_tests(connection: Connection, at: datetime) -> list[JournalEntry]:
    """The last test that each present member made of itself. It lies beside the member: in a long journal, that of one
    who started long ago would be far back."""
    present = select(members.c.facts).where(members.c.database, members.c.state != State.RETIRED)
    kept = [facts[TESTED] for facts in connection.execute(present).scalars() if TESTED in facts]
    return [_entry(dict(each), at) for each in kept]


def _entry(kept: dict[str, Any], at: datetime) -> JournalEntry:
    number, tested_at = kept.pop("id"), datetime.fromisoformat(kept.pop("at"))
    age = max(0.0, (at - tested_at).total_seconds())
    return JournalEntry(id=number, at=tested_at, kind=TESTED, facts=kept, age=age)


def _tables(project: Project) -> list[str]:
    return [table.name for table in project.tables.sorted_tables] if project.tables is not None else []


def _reading(connection: Connection, project: Project, name: str) -> Callable[[], str]:
    assert project.tables is not None
    table = project.tables.tables[name]

    def read() -> str:
        try:
            with connection.begin_nested():
                connection.execute(select(table).limit(1)).all()
        except DBAPIError as wrong:
            return str(wrong.orig)
        return ""

    return read


def _without_way(project: Project) -> list[str]:
    """The objects that cannot be told to a release in the skew window that knows them."""
    window = project.releases[-(project.skew_window + 1) :]
    return [
        f"{name} to {release.name}: {why}"
        for release in window
        for name, cls in project.registry.objects.items()
        if name in release.manifest and (why := _refused(cls.__shape__, release.manifest, release.name))
    ]


def _refused(shape: Shape, manifest: Any, release: str) -> str:
    try:
        shape.target(manifest, release)
    except CannotBackport as wrong:
        return str(wrong)
    return ""
