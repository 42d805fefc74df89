"""The runner that expands a schema: additive revisions, one transaction each, and the catalogue has the last word.

The framework's own revisions come first. A project's lie in ``expand/`` and ``contract/`` of its schema folder, as
ordinary Alembic files. What a revision leaves to do after its transaction (steps) is done before the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from alembic.script.base import Script
from sqlalchemy import Connection, MetaData, insert, select

from midflight.db import catalogue, forms, journal, tables
from midflight.db.clock import now
from midflight.db.engine import is_postgresql
from midflight.db.schema import needs
from midflight.db.schema.finish import broken, finish_all, left, watched, whole
from midflight.db.schema.line import Line, own_line, project_line, sql_of
from midflight.db.schema.opening import changing, looking, shared
from midflight.db.schema.run import Run
from midflight.db.schema.session import PATIENCE_SECONDS, Session
from midflight.db.schema.steps import keep
from midflight.errors import SchemaBroken, SchemaTooNew

T = TypeVar("T")


@dataclass(frozen=True)
class SchemaStatus:
    """How the schema of a database stands to this code. Revisions are named by their identifiers."""

    release: str | None
    """The release whose code expanded the schema last."""
    digest: str | None
    """The digest of the revision files that expanded it; equal to ``code_digest`` if they are this code's."""
    at: datetime | None
    code_digest: str
    revisions: tuple[str, ...]
    """Where the schema is now."""
    pending: tuple[str, ...]
    """What ``expand`` would apply."""
    against: tuple[str, ...]
    """Why it would be refused: what those revisions need of the releases before."""
    unknown: tuple[str, ...]
    """Revisions of the schema that this code does not have: it is older than the schema."""
    unfinished: tuple[str, ...]
    """What revisions that are applied have left to do, since their runner was killed: ``expand`` goes on with it."""
    missing: tuple[str, ...]
    """What this code needs and the catalogue does not have."""


class SchemaRunner:
    """Expands the schema of one database to what one release's code needs. Its methods block: call them in a thread.

    ``schema`` is the project's folder of revisions, ``tables`` what they lead to. Raises NoDatabaseUrl for a URL
    that no second process could open, and ProjectError for a mistake in a revision file, naming the file. ``patience``
    is for how many seconds one revision is tried while somebody keeps a lock that it needs.
    """

    def __init__(
        self, url: str, schema: Path | None, tables: MetaData | None, release: str, *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:  # fmt: skip
        self._url, self._patience = shared(url), patience
        self._release = release
        self._tables = tables or MetaData()
        self._lines = [own_line()] + ([project_line(schema, self._tables)] if schema else [])
        self.digest = self._lines[1].files.digest if schema else ""
        """Stands for the content of the project's revision files."""
        self.remarks: dict[str, list[str]] = {}
        """What is to be said of the revisions that were applied."""

    def expand(self, data_migrations: Iterable[str] = ()) -> list[str]:
        """Apply the revisions that the schema lacks and return their identifiers, in order; ``[]`` if it lacks none.

        Each revision is one transaction: applied as a whole, or not at all; on PostgreSQL its steps follow, and are
        taken up again where a runner was killed. What was expanded, by which code, goes into mf_schema and the
        journal; each of ``data_migrations`` gets its write form unless it has one. Raises SchemaBusy while another
        process changes the schema, SchemaBlocked while somebody keeps a lock, SchemaTooNew if the schema has
        revisions that this code does not know; StepBlocked, before anything of the project's is applied, while a
        revision lacks what it needs of the releases before (see ``needs``); and SchemaBroken for a revision that fails,
        removes something, or leaves something out that the tables promise.
        """
        with changing(self._url, self._patience) as session:
            applied = self._follow(session, self._lines[0])
            finish_all(session)
            applied += [revision for line in self._lines[1:] for revision in self._follow(session, line)]
            with session.transaction(writes=True) as connection:
                self._record(connection, applied, forms.ensure(connection, data_migrations))
        return applied

    def plan(self) -> list[tuple[str, str]]:
        """What ``expand`` would apply, each revision with its SQL. Nothing is executed, nor locked."""
        return [(name, self._sql(line, name)) for line, name in self._look(self._pending)]

    def status(self) -> SchemaStatus:
        """How the schema stands to this code. Changes nothing, and creates no database where there is none."""
        return self._look(self._status)

    def missing(self) -> list[str]:
        """What this code needs and the catalogue does not have: ``column instances.flavor``, ``table flavors`` …"""
        return self._look(lambda connection: catalogue.missing(connection, tables.metadata, self._tables))

    def history(self) -> list[journal.Entry]:
        """What was done to the schema, oldest first."""
        return self._look(_history)

    def _look(self, work: Callable[[Connection], T]) -> T:
        with looking(self._url) as connection:
            return work(connection)

    def _status(self, connection: Connection) -> SchemaStatus:
        heads = [line.heads(connection) for line in self._lines]
        unknown = [name for line, found in zip(self._lines, heads, strict=True) for name in line.files.unknown(found)]
        release, digest, at = _last_expanded(connection) or (None, None, None)
        return SchemaStatus(
            release=release,
            digest=digest,
            at=at,
            code_digest=self.digest,
            revisions=tuple(name for found in heads for name in found),
            pending=() if unknown else tuple(name for _, name in self._pending(connection)),
            against=() if unknown else tuple(self._against(connection)),
            unknown=tuple(unknown),
            unfinished=tuple(f"{revision}: {step.thing}" for revision, _, step in left(connection)),
            missing=tuple(catalogue.missing(connection, tables.metadata, self._tables)),
        )

    def _pending(self, connection: Connection) -> list[tuple[Line, str]]:
        return [
            (line, script.revision) for line in self._lines for script in line.files.pending(line.heads(connection))
        ]

    def _against(self, connection: Connection) -> list[str]:
        """The framework's own revisions need nothing, and are what is asked for the others."""
        if _missing_own(connection):
            return []
        found = [(line, line.files.pending(line.heads(connection))) for line in self._lines[1:]]
        return [reason for line, pending in found for reason in needs.against(connection, line, pending)]

    def _sql(self, line: Line, revision: str) -> str:
        (script,) = [script for script in line.files.line if script.revision == revision]
        run = Run(revision, "expand")
        try:
            statements = sql_of(script, "postgresql" if is_postgresql(self._url) else "sqlite", run)
        except Exception as wrong:  # noqa: BLE001  # a revision may read, and then do anything
            return f"-- its SQL is known only when it runs: {type(wrong).__name__}: {wrong}"
        later = [f"-- afterwards, by itself:\n{statement};" for step in run.steps for statement in step.statements()]
        remarks = [f"-- {remark}" for remark in run.remarks]
        return "\n\n".join(part for part in (statements, *later, *remarks) if part)

    def _follow(self, session: Session, line: Line) -> list[str]:
        with session.transaction(writes=False) as connection:
            heads = line.heads(connection)
            if unknown := line.files.unknown(heads):
                raise SchemaTooNew(revision=", ".join(unknown), release=self._release)
            pending = line.files.pending(heads)
            needs.refuse(connection, line, pending)
            if not pending:
                _refuse_missing(connection, line, ", ".join(heads) or "none")
        for script in pending:
            name = f"{script.revision} ({Path(script.path).name})"
            session.try_(name, partial(self._apply, session, line, script, name, last=script is pending[-1]))
            finish_all(session)
        return [script.revision for script in pending]

    def _apply(self, session: Session, line: Line, script: Script, name: str, *, last: bool) -> None:
        run = Run(script.revision, "expand")
        with broken(name), session.transaction(writes=True) as connection:
            before = catalogue.things(connection)
            with whole(connection, name), _refuse_copies(connection, name):
                line.apply(connection, script, run)
            _refuse_losses(before, catalogue.things(connection), name)
            keep(connection, script.revision, run.steps)
            if last:
                _refuse_missing(connection, line, name, coming={step.thing for step in run.steps})
            needs.settle(connection, script)
            journal.write(connection, needs.APPLIED, {"revision": script.revision, "release": self._release})
            if run.remarks:
                self.remarks[script.revision] = run.remarks

    def _record(self, connection: Connection, applied: list[str], new_forms: list[str]) -> None:
        last = _last_expanded(connection)
        if not applied and last is not None and last[:2] == (self._release, self.digest):
            return
        connection.execute(insert(tables.schema).values(release=self._release, digest=self.digest, at=now()))
        facts = {"release": self._release, "digest": self.digest, "revisions": applied, "forms": new_forms}
        journal.write(connection, "schema.expanded", facts)


def _last_expanded(connection: Connection) -> tuple[str, str, datetime] | None:
    if _missing_own(connection):
        return None
    columns = tables.schema.c
    last = select(columns.release, columns.digest, columns.at).order_by(columns.id.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    return None if row is None else (row.release, row.digest, row.at)


def _missing_own(connection: Connection) -> bool:
    return f"table {tables.schema.name}" in catalogue.missing(connection, tables.metadata)


def _history(connection: Connection) -> list[journal.Entry]:
    if _missing_own(connection):
        return []
    return [entry for entry in journal.read(connection) if entry.kind.startswith("schema.")]


def _refuse_missing(connection: Connection, line: Line, revision: str, coming: Set[str] = frozenset()) -> None:
    """``coming`` is what the revision's steps will bring."""
    if lacks := [thing for thing in catalogue.missing(connection, line.tables) if thing not in coming]:
        reason = f"the schema lacks {', '.join(lacks)}: the tables in the code have it, and no revision creates it"
        raise SchemaBroken(revision=revision, reason=reason)


def _refuse_losses(before: set[str], after: set[str], revision: str) -> None:
    if lost := sorted(before - after):
        reason = f"it removed {', '.join(lost)}; an expand revision only adds, removing belongs into contract/"
        raise SchemaBroken(revision=revision, reason=reason)


@contextmanager
def _refuse_copies(connection: Connection, revision: str) -> Iterator[None]:
    """A copy of a table is neither quick nor safe under the services that go on writing to it."""

    def look(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if "_alembic_tmp_" in statement:
            raise SchemaBroken(revision=revision, reason="it copies a whole table; an expand revision only adds to it")

    with watched(connection, look):
        yield
