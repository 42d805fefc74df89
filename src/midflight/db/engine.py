"""The database of a process: work on its rows, one transaction at a time, in threads of its own.

Which engine it is, the scheme of its URL says: ``db/sqlite.py`` and ``db/postgresql.py`` have what differs.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, RootTransaction, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from midflight.config import public_url
from midflight.db import forms, postgresql, sqlite, tables
from midflight.db.quick import QuickReads
from midflight.db.store import OWN, Store, options
from midflight.db.worker import Worker
from midflight.db.write_form import DEFAULT, Form
from midflight.errors import CommitUnknown, DatabaseContended, DatabaseUnreachable, NoDatabaseUrl
from midflight.rpc.repeats import Receipt, unkept
from midflight.versions import Manifest

P = ParamSpec("P")
T = TypeVar("T")

_STOPPED = "work on the database raised StopIteration"

_LONGEST_PAUSE = 0.1
"""Seconds, between two tries of work that cannot be ordered with what others do."""

_EXPECTED = "expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRESQL = ("postgresql", "postgresql+psycopg")


def parse(url: str) -> URL:
    """Read ``sqlite:///PATH`` or ``postgresql://…/NAME``. Raises NoDatabaseUrl for anything that midflight cannot open.

    What stands behind a question mark in the latter is libpq's: ``sslmode``, ``target_session_attrs``, ``host`` …
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise NoDatabaseUrl(url=repr(public_url(url)), reason=f"this is no database URL; {_EXPECTED}") from None
    if mistake := _mistake(parsed):
        raise NoDatabaseUrl(url=public_url(url), reason=f"{mistake}; {_EXPECTED}")
    return parsed


def _mistake(url: URL) -> str:
    if url.drivername in _POSTGRESQL:
        return "" if url.database else "it names no database"
    if url.drivername not in _SQLITE:
        return f"the scheme {url.drivername!r} is unknown"
    return "it has arguments behind a question mark, which midflight does not take for SQLite" if url.query else ""


def is_postgresql(url: URL) -> bool:
    """Whether a parsed URL is of a PostgreSQL, and not of an SQLite."""
    return url.drivername in _POSTGRESQL


def create(url: URL) -> Engine:
    """The engine for a parsed URL. Nothing is opened yet. Raises MissingExtra where its driver is not installed."""
    return postgresql.create(url) if is_postgresql(url) else sqlite.create(url)


@contextmanager
def transaction(engine: Engine, *, writes: bool, store: Store = OWN) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back by any exception. ``store`` knows for whom it
    writes objects.

    Raises DatabaseBusy if others hold a lock for too long, DatabaseContended where it must be run again, and
    DatabaseUnreachable for a database that cannot be opened; other errors of the driver pass through.
    """
    with (
        translated(engine),
        engine.connect().execution_options(writes=writes, **options(store)) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """What the driver raises, in our words where we have some."""
    try:
        yield
    except DBAPIError as wrong:
        translate = postgresql.translate if engine.dialect.name == "postgresql" else sqlite.translate
        ours = translate(engine.url, wrong)
        if ours is None:
            raise
        raise ours from wrong


def reason_of(wrong: DBAPIError) -> str:
    """What the database says against a statement, in one line."""
    lines = str(wrong.orig).strip().splitlines() or [type(wrong.orig).__name__]
    return lines[0].strip()


class _Stale(Exception):
    """The connection that was kept is none any more. Nothing has been done on it."""


class Database:
    """One process's way to the rows.

    ``await database.write(work, …)`` runs the plain function ``work(connection, …)`` in a thread of the database's own,
    in one transaction that is committed when it returns and rolled back when it raises; what it raises is raised here.
    ``read`` does the same on one snapshot, and refuses to write. A caller that is cancelled does not stop work that has
    begun: it commits or rolls back as if somebody still waited; work that has not begun is dropped.

    Work that writes is as if alone. On SQLite it is: all work is done one at a time, in the order in which it was
    given. On PostgreSQL several pieces run at once, and one that cannot be ordered with the others is rolled back and
    **run again**: so work changes nothing but rows, neither its arguments nor what it can reach by them. On both, so is
    work that has written the old form of a data migration when nobody does any more: it asks for ``form`` itself.

    Both raise DatabaseBusy when somebody else keeps a lock, DatabaseContended when others were always in the way, and
    InvalidValue for a value that no column can keep, with nothing written; CommitUnknown where the connection is lost
    in a commit.
    """

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self.forms: dict[str, Form] = {}
        """The write form of each data migration, as this process obeys it now; a missing one is at its default."""
        self.store = OWN
        """Who reads what this process writes, as it obeys it now."""
        self.on_first_write: Callable[[Connection, Receipt], None] | None = None
        """Notes a message in the first transaction that its work commits, before the work; what it raises is raised."""
        self._engine = engine
        self._closed = False
        self._worker = Worker("database", postgresql.WORKERS if engine.dialect.name == "postgresql" else 1)
        self._kept = _Kept()
        self._again = threading.Lock()
        """Held by the one piece of work that writes and is run again: several at once would be in each other's way once
        more. Reads are in nobody's way."""
        self._quick: QuickReads | None = None

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open a database, creating an empty SQLite if there is none yet. Raises DatabaseUnreachable with the
        reason."""
        database = cls(url, create(parse(url)))
        try:
            database.forms.update(await database.read(_persisted_forms))
            await database._worker.run(database._open_for_quick_reads)
        except BaseException:
            await database.close()
            raise
        return database

    def _open_for_quick_reads(self) -> None:
        if self._engine.dialect.name == "sqlite" and sqlite.file_of(self._engine.url) is not None:
            with translated(self._engine):
                self._quick = QuickReads(sqlite.impatient(self._engine.url))

    def form(self, name: str) -> Form:
        """How a data migration's field is to be kept by this process, now."""
        return self.forms.get(name, DEFAULT)

    def store_manifest(self, since: str | None = None) -> Manifest | None:
        """The manifest for ``to_row`` and ``to_json``: that of the store floor, for all who must still read what is
        written. None where these are our own versions. ``since`` names a release before which nobody reads it."""
        return self.store.manifest(since)

    async def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that only reads, on one snapshot. On SQLite that has all that was given to be written before, and
        what has proven to be quick is run in the loop. On PostgreSQL it has what is committed when the work begins."""

        def bound(connection: Connection) -> T:
            return work(connection, *args, **kwargs)

        quick = self._quick
        if quick is None or self._closed:
            return await self._run(False, bound)
        if quick.takes(work) and not self._worker.is_writing:
            try:
                return await quick.run(work, bound, self.store)
            except (DBAPIError, OverflowError):
                pass  # the thread can wait for a lock, and says what is wrong
            except StopIteration as stop:
                raise RuntimeError(_STOPPED) from stop
        return await self._run(False, quick.timed(work, bound))

    async def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that writes, in one transaction."""
        return await self._run(True, lambda connection: work(connection, *args, **kwargs))

    async def close(self) -> None:
        """Finish the work that was given, and close. May be called again."""
        if not self._closed:
            self._closed = True
            if self._quick is not None:
                self._quick.close()
            self._worker.end_with(self._disconnect)
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._worker.join()
        self._engine.dispose()

    async def _run(self, writes: bool, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise DatabaseUnreachable(url=self._engine.url.render_as_string(), reason="it was closed by this process")
        return await self._worker.run(partial(self._transact, writes, work), writes=writes)

    def _transact(self, writes: bool, work: Callable[[Connection], T]) -> T:
        note = self.on_first_write if writes else None
        receipt = unkept() if note else None
        if note is None or receipt is None:
            return self._patiently(writes, work)
        with receipt.first:
            if not receipt.kept:
                result = self._patiently(writes, partial(_noted, note, receipt, work))
                receipt.kept = True
                return result
        return self._patiently(writes, work)

    def _patiently(self, writes: bool, work: Callable[[Connection], T]) -> T:
        patience, pause = time.monotonic() + postgresql.BUSY_SECONDS, 0.005
        with ExitStack() as turn:
            while True:
                try:
                    return self._once(writes, work)
                except _Stale:
                    pass
                except forms.FormMoved:
                    self.forms = self._once(False, forms.current)
                except DatabaseContended:
                    turn.close()
                    if time.monotonic() > patience:
                        raise
                    time.sleep(random.uniform(0, pause))
                    pause = min(pause * 2, _LONGEST_PAUSE)
                    if writes:
                        if not self._again.acquire(timeout=max(0.0, patience - time.monotonic())):
                            raise
                        turn.callback(self._again.release)
                except StopIteration as stop:
                    # A future cannot carry it: whoever awaits would wait for ever.
                    raise RuntimeError(_STOPPED) from stop

    def _once(self, writes: bool, work: Callable[[Connection], T]) -> T:
        worked, was_kept = False, self._kept.connection is not None
        with translated(self._engine), self._connected() as connection:
            connection.execution_options(writes=writes, **options(self.store), **forms.options(self.forms))
            try:
                with _begun(connection, was_kept=was_kept):
                    result = work(connection)
                    worked = True
            except DBAPIError as wrong:
                if worked and writes and wrong.connection_invalidated:
                    raise CommitUnknown(url=self._engine.url.render_as_string()) from wrong
                raise
            return result

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection that this thread keeps; after any exception it is a new one."""
        connection, self._kept.connection = self._kept.connection, None
        if connection is None:
            connection = self._engine.connect()
        try:
            yield connection
            self._kept.connection = connection
        finally:
            if self._kept.connection is None:
                connection.close()

    def _disconnect(self) -> None:
        if self._kept.connection is not None:
            self._kept.connection.close()
            self._kept.connection = None


class _Kept(threading.local):
    """Between two transactions of a thread, the connection of both: to make one takes longer than a short
    transaction."""

    connection: Connection | None = None


def _noted(
    note: Callable[[Connection, Receipt], None],
    receipt: Receipt,
    work: Callable[[Connection], T],
    connection: Connection,
) -> T:
    note(connection, receipt)
    return work(connection)


def _persisted_forms(connection: Connection) -> dict[str, Form]:
    return forms.current(connection) if inspect(connection).has_table(tables.forms.name) else {}


def _begun(connection: Connection, *, was_kept: bool) -> RootTransaction:
    try:
        return connection.begin()
    except DBAPIError as wrong:
        if was_kept and wrong.connection_invalidated:
            raise _Stale from wrong
        raise
