"""The runner that expands a schema: additive revisions, one transaction each, and the catalogue has the last word.

The framework's own revisions lie beside this file and come first. A project's lie in ``expand/`` and ``contract/`` of
its schema folder, as ordinary Alembic files; removing things (contract) is for later, when nobody reads them any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script.base import Script
from sqlalchemy import Connection, Engine, MetaData, event, insert, make_url, select
from sqlalchemy.exc import DBAPIError

from midflight.config import public_url
from midflight.db import catalogue, forms, journal, sqlite, tables
from midflight.db.clock import now
from midflight.db.engine import create, is_postgresql, parse, reason_of, transaction, translated
from midflight.db.schema.files import RevisionFiles
from midflight.db.schema.lock import schema_lock
from midflight.errors import MidflightError, NoDatabaseUrl, SchemaBroken, SchemaTooNew

T = TypeVar("T")

_OWN_REVISIONS = Path(__file__).parent.parent / "revisions"


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
    unknown: tuple[str, ...]
    """Revisions of the schema that this code does not have: it is older than the schema."""
    missing: tuple[str, ...]
    """What this code needs and the catalogue does not have."""


@dataclass(frozen=True)
class _Line:
    """Revision files, the version table that says how far they have come, and the tables that they lead to."""

    files: RevisionFiles
    version_table: str
    tables: MetaData


class SchemaRunner:
    """Expands the schema of one database to what one release's code needs. Its methods block: call them in a thread.

    ``schema`` is the project's folder of revisions, ``tables`` what they lead to. Raises NoDatabaseUrl for a URL
    that no second process could open, and ProjectError for a mistake in a revision file, naming the file.
    """

    def __init__(self, url: str, schema: Path | None, tables: MetaData | None, release: str) -> None:
        self._url = parse(url)
        self._file = None if is_postgresql(self._url) else sqlite.file_of(self._url)
        if self._file is None and not is_postgresql(self._url):
            raise NoDatabaseUrl(
                url=public_url(url), reason="a schema in memory is seen by nobody else; expected sqlite:///PATH"
            )
        self._release = release
        self._tables = tables or MetaData()
        self._lines = [_own_line()] + ([_project_line(schema, self._tables)] if schema else [])
        self.digest = self._lines[1].files.digest if schema else ""
        """Stands for the content of the project's revision files."""

    def expand(self, data_migrations: Iterable[str] = ()) -> list[str]:
        """Apply the revisions that the schema lacks and return their identifiers, in order; ``[]`` if it lacks none.

        Each revision is one transaction: applied as a whole, or not at all. What was expanded, by which code, goes into
        mf_schema and the journal; each of ``data_migrations`` gets its write form unless it has one. Raises SchemaBusy
        while another process expands, SchemaTooNew if the schema has revisions that this code does not know, and
        SchemaBroken for a revision that fails, removes something, or leaves something out that the tables promise.
        """
        with _disposed(create(self._url)) as engine, translated(engine), engine.connect() as connection:
            with _transaction(connection, writes=False):
                catalogue.things(connection)
            with schema_lock(connection):
                applied = [revision for line in self._lines for revision in self._follow(connection, line)]
                with _transaction(connection, writes=True):
                    self._record(connection, applied, forms.ensure(connection, data_migrations))
        return applied

    def status(self) -> SchemaStatus:
        """How the schema stands to this code. Changes nothing, and creates no database where there is none."""
        return self._look(self._status)

    def missing(self) -> list[str]:
        """What this code needs and the catalogue does not have: ``column instances.flavor``, ``table flavors`` …"""
        return self._look(lambda connection: catalogue.missing(connection, tables.metadata, self._tables))

    def _look(self, work: Callable[[Connection], T]) -> T:
        nothing_yet = self._file is not None and self._file.parent.is_dir() and not self._file.exists()
        url = make_url("sqlite://") if nothing_yet else self._url
        with _disposed(create(url)) as engine, transaction(engine, writes=False) as connection:
            return work(connection)

    def _status(self, connection: Connection) -> SchemaStatus:
        heads = [_heads(connection, line) for line in self._lines]
        unknown = [name for line, found in zip(self._lines, heads, strict=True) for name in line.files.unknown(found)]
        pending = (
            []
            if unknown
            else [
                script.revision
                for line, found in zip(self._lines, heads, strict=True)
                for script in line.files.pending(found)
            ]
        )
        release, digest, at = _last_expanded(connection) or (None, None, None)
        return SchemaStatus(
            release=release,
            digest=digest,
            at=at,
            code_digest=self.digest,
            revisions=tuple(name for found in heads for name in found),
            pending=tuple(pending),
            unknown=tuple(unknown),
            missing=tuple(catalogue.missing(connection, tables.metadata, self._tables)),
        )

    def _follow(self, connection: Connection, line: _Line) -> list[str]:
        with _transaction(connection, writes=False):
            heads = _heads(connection, line)
            if unknown := line.files.unknown(heads):
                raise SchemaTooNew(revision=", ".join(unknown), release=self._release)
            pending = line.files.pending(heads)
            if not pending:
                _refuse_missing(connection, line, ", ".join(heads) or "none")
        for script in pending:
            self._apply(connection, line, script, last=script is pending[-1])
        return [script.revision for script in pending]

    def _apply(self, connection: Connection, line: _Line, script: Script, *, last: bool) -> None:
        name = f"{script.revision} ({Path(script.path).name})"
        try:
            with _transaction(connection, writes=True):
                before = catalogue.things(connection)
                with _refuse_copies(connection, name):
                    _run(connection, line, script)
                _refuse_losses(before, catalogue.things(connection), name)
                if last:
                    _refuse_missing(connection, line, name)
                facts = {"revision": script.revision, "release": self._release}
                journal.write(connection, "schema.revision_applied", facts)
        except MidflightError:
            raise
        except DBAPIError as wrong:
            raise SchemaBroken(
                revision=name, reason=f"{reason_of(wrong)}, in: {' '.join(str(wrong.statement).split())}"
            ) from wrong
        except Exception as wrong:
            raise SchemaBroken(revision=name, reason=f"{type(wrong).__name__}: {wrong}") from wrong

    def _record(self, connection: Connection, applied: list[str], new_forms: list[str]) -> None:
        last = _last_expanded(connection)
        if not applied and last is not None and last[:2] == (self._release, self.digest):
            return
        connection.execute(insert(tables.schema).values(release=self._release, digest=self.digest, at=now()))
        facts = {"release": self._release, "digest": self.digest, "revisions": applied, "forms": new_forms}
        journal.write(connection, "schema.expanded", facts)


def _own_line() -> _Line:
    return _Line(RevisionFiles(_OWN_REVISIONS), "mf_version", tables.metadata)


def _project_line(schema: Path, promised: MetaData) -> _Line:
    return _Line(RevisionFiles(schema / "expand", [schema / "contract"]), "alembic_version", promised)


@contextmanager
def _disposed(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _transaction(connection: Connection, *, writes: bool) -> Iterator[None]:
    """One transaction of the session that changes the schema: alone by its lock, it sees what others commit."""
    connection.execution_options(writes=writes, isolation="READ COMMITTED")
    with translated(connection.engine), connection.begin():
        yield


def _context(connection: Connection, line: _Line, **options: Any) -> MigrationContext:
    options |= {"version_table": line.version_table, "transactional_ddl": True}
    return MigrationContext.configure(connection, opts=options)


def _heads(connection: Connection, line: _Line) -> tuple[str, ...]:
    return _context(connection, line).get_current_heads()


def _run(connection: Connection, line: _Line, script: Script) -> None:
    step = RevisionStep(line.files.map, script, True)
    context = _context(connection, line, fn=lambda heads, context: [step])
    with Operations.context(context):
        context.run_migrations()


def _last_expanded(connection: Connection) -> tuple[str, str, datetime] | None:
    if _missing_own(connection):
        return None
    columns = tables.schema.c
    last = select(columns.release, columns.digest, columns.at).order_by(columns.id.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    return None if row is None else (row.release, row.digest, row.at)


def _missing_own(connection: Connection) -> bool:
    return f"table {tables.schema.name}" in catalogue.missing(connection, tables.metadata)


def _refuse_missing(connection: Connection, line: _Line, revision: str) -> None:
    if lacks := catalogue.missing(connection, line.tables):
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

    event.listen(connection, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", look)
