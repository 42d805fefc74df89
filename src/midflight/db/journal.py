"""The fleet's record of what was done to it. Entries are only added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, get_args

from sqlalchemy import Connection, insert, or_, select

from midflight.db.clock import now
from midflight.db.tables import journal

P = ParamSpec("P")
T = TypeVar("T")

Kind = Literal[
    "form.advanced", "form.began",
    "gate.acknowledged", "gate.checked", "gate.soaked", "gate.withdrawn",
    "member.active", "member.asleep", "member.back", "member.drained", "member.draining", "member.joined",
    "member.left", "member.lost", "member.retired", "member.tested", "member.undrained",
    "migration.cancel", "migration.chunks", "migration.held", "migration.not_proven", "migration.pause",
    "migration.proved", "migration.resume", "migration.retried", "migration.start", "migration.stopped",
    "migration.sweeping", "migration.verifying",
    "parked.discarded", "parked.replayed",
    "pin.cleared", "pin.set",
    "rpc.version_rejected",
    "schema.brought_back", "schema.expanded", "schema.held", "schema.purged", "schema.revision_applied",
    "store_floor.raised",
    "sweeper.brake", "sweeper.pace", "sweeper.taken",
]  # fmt: skip
"""All that this midflight writes. In a journal there may be others, which a newer one has written."""
KINDS: frozenset[str] = frozenset(get_args(Kind))
FAMILIES = frozenset(kind.partition(".")[0] for kind in KINDS)
"""What stands before the dots."""

_by: ContextVar[str] = ContextVar("by", default="")
"""Who does what is written down now."""

_TURN = 0x6D66_0001
"""The advisory lock of a PostgreSQL's database under which entries are added; any number that nobody else takes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One act or event. ``id`` is its place in the order."""

    id: int
    at: datetime
    kind: str
    facts: dict[str, Any]


@contextmanager
def signing(by: str) -> Iterator[None]:
    """Write down of all entries of the block that it was ``by`` this one."""
    before = _by.set(by)
    try:
        yield
    finally:
        _by.reset(before)


def signed(by: str, work: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Connection, P], T]:
    """Work on the database that is done by somebody: it may run in a thread, which knows nothing of who asked."""

    def signing_work(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with signing(by):
            return work(connection, *args, **kwargs)

    return signing_work


def write(connection: Connection, kind: Kind, facts: Mapping[str, Any]) -> int:
    """Add an entry in the caller's transaction, so that it is kept if and only if the act is. Returns its id.

    Facts are plain JSON values; ``by`` is added to them where it is known who does it. Ids are in the order of the
    commits: whoever has read up to one has missed nothing, so where transactions run at once, they take their turns
    from here to their ends. So write it last: whoever waits for a row in its turn may wait for one who waits for the
    turn.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
    told = dict(facts) if not _by.get() else {"by": _by.get(), **facts}
    added = insert(journal).values(at=now(), kind=kind, facts=told).returning(journal.c.id)
    return int(connection.execute(added).scalar_one())


def read(
    connection: Connection, since: int | datetime | None = None, kind: str | None = None, latest: int | None = None
) -> list[Entry]:
    """Entries, oldest first: those after an entry's id, or from a time on, or all; of one kind, or of all kinds; of
    these the ``latest`` so many, or all."""
    wanted = select(journal.c.id, journal.c.at, journal.c.kind, journal.c.facts).order_by(journal.c.id.desc())
    if isinstance(since, datetime):
        wanted = wanted.where(journal.c.at >= since)
    elif since is not None:
        wanted = wanted.where(journal.c.id > since)
    if kind is not None:
        wanted = wanted.where(journal.c.kind == kind)
    return [Entry(*row) for row in connection.execute(wanted.limit(latest))][::-1]


def page(connection: Connection, after: int | None, kinds: Iterable[str], limit: int) -> list[Entry]:
    """Up to ``limit`` entries, oldest first: the first behind an entry's id, or, without one, the latest.

    ``kinds`` are whole ones, or what stands before a dot in them: ``pin`` for ``pin.set`` and ``pin.cleared``.
    """
    wanted = select(journal.c.id, journal.c.at, journal.c.kind, journal.c.facts)
    if chosen := list(kinds):
        families = [journal.c.kind.startswith(f"{kind}.", autoescape=True) for kind in chosen]
        wanted = wanted.where(or_(journal.c.kind.in_(chosen), *families))
    if after is not None:
        found = wanted.where(journal.c.id > after).order_by(journal.c.id).limit(limit)
        return [Entry(*row) for row in connection.execute(found)]
    return [Entry(*row) for row in connection.execute(wanted.order_by(journal.c.id.desc()).limit(limit))][::-1]
