"""The database of a process: work on its rows, one transaction at a time, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from midflight.config import public_url
from midflight.db import forms, sqlite, tables
from midflight.db.forms import Form
from midflight.db.store import OWN, Store, options
from midflight.db.worker import Worker
from midflight.errors import DatabaseUnreachable, NoDatabaseUrl
from midflight.versions import Manifest

P = ParamSpec("P")
T = TypeVar("T")


def parse(url: str) -> URL:
    """Read ``sqlite:///PATH``. Raises NoDatabaseUrl for anything that midflight cannot open."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise NoDatabaseUrl(
            url=repr(public_url(url)), reason="this is no database URL; expected sqlite:///PATH"
        ) from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        reason = f"the scheme {parsed.drivername!r} is unknown; expected sqlite:///PATH"
        raise NoDatabaseUrl(url=public_url(url), reason=reason)
    if parsed.query:
        reason = "it has arguments behind a question mark, which midflight does not take; expected sqlite:///PATH"
        raise NoDatabaseUrl(url=public_url(url), reason=reason)
    return parsed


@contextmanager
def transaction(engine: Engine, *, writes: bool, store: Store = OWN) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back by any exception. ``store`` knows for whom it
    writes objects.

    Raises DatabaseBusy if another process holds the write lock for too long, and DatabaseUnreachable for a file that
    cannot be opened or is no database; other errors of the driver pass through.
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
        ours = sqlite.translate(engine.url, wrong)
        if ours is None:
            raise
        raise ours from wrong


class Database:
    """One process's way to the rows.

    ``await database.write(work, …)`` runs the plain function ``work(connection, …)`` in the database's own thread, in
    one transaction that is committed when it returns and rolled back when it raises; what it raises is raised here.
    ``read`` does the same on one snapshot, and refuses to write. Work is done in the order in which it was given, one
    at a time. A caller that is cancelled does not stop work that has begun: it commits or rolls back as if
    somebody still waited; work that has not begun is dropped.

    Both raise DatabaseBusy when another process keeps the database locked, and InvalidValue for a number that no column
    can keep, with nothing written.
    """

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self.forms: dict[str, Form] = {}
        """The write form of each data migration, as this process obeys it now; a missing one is at its default."""
        self.store = OWN
        """Who reads what this process writes, as it obeys it now."""
        self._engine = engine
        self._closed = False
        self._worker = Worker("database")
        self._kept: Connection | None = None
        """Between two transactions, the connection of both: to make one takes longer than a short transaction."""

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open a database, creating an empty one if there is none yet. Raises DatabaseUnreachable with the reason."""
        database = cls(url, sqlite.create(parse(url)))
        try:
            database.forms.update(await database.read(_persisted_forms))
        except BaseException:
            await database.close()
            raise
        return database

    def form(self, name: str) -> Form:
        """How a data migration's field is to be kept by this process, now."""
        return self.forms.get(name, forms.DEFAULT)

    def store_manifest(self, since: str | None = None) -> Manifest | None:
        """The manifest for ``to_row`` and ``to_json``: that of the store floor, for all who must still read what is
        written. None where these are our own versions. ``since`` names a release before which nobody reads it."""
        return self.store.manifest(since)

    async def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that only reads, on one snapshot."""
        return await self._run(False, lambda connection: work(connection, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work that writes, in one transaction."""
        return await self._run(True, lambda connection: work(connection, *args, **kwargs))

    async def close(self) -> None:
        """Finish the work that was given, and close. May be called again."""
        if not self._closed:
            self._closed = True
            self._worker.end_with(self._disconnect)
        await asyncio.to_thread(self._worker.join)

    async def _run(self, writes: bool, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise DatabaseUnreachable(url=self._engine.url.render_as_string(), reason="it was closed by this process")
        return await self._worker.run(partial(self._transact, writes, work))

    def _transact(self, writes: bool, work: Callable[[Connection], T]) -> T:
        try:
            with translated(self._engine), self._connected() as connection:
                connection.execution_options(writes=writes, **options(self.store))
                with connection.begin():
                    return work(connection)
        except StopIteration as stop:
            # A future cannot carry it: whoever awaits would wait for ever.
            raise RuntimeError("work on the database raised StopIteration") from stop

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection that is kept; after any exception it is a new one."""
        connection, self._kept = self._kept, None
        if connection is None:
            connection = self._engine.connect()
        try:
            yield connection
            self._kept = connection
        finally:
            if self._kept is None:
                connection.close()

    def _disconnect(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self._engine.dispose()


def _persisted_forms(connection: Connection) -> dict[str, Form]:
    return forms.current(connection) if inspect(connection).has_table(tables.forms.name) else {}
