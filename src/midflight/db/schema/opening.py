"""A database whose schema is looked at, or changed by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, Engine, make_url

from midflight.config import public_url
from midflight.db import catalogue, sqlite
from midflight.db.engine import create, is_postgresql, parse, transaction, translated
from midflight.db.schema.lock import schema_lock
from midflight.db.schema.session import Session
from midflight.errors import NoDatabaseUrl


def shared(url: str) -> URL:
    """The URL, parsed. Raises NoDatabaseUrl for one that no second process could open."""
    parsed = parse(url)
    if not is_postgresql(parsed) and sqlite.file_of(parsed) is None:
        raise NoDatabaseUrl(
            url=public_url(url), reason="a schema in memory is seen by nobody else; expected sqlite:///PATH"
        )
    return parsed


@contextmanager
def changing(url: URL, patience: float) -> Iterator[Session]:
    """A session that changes the schema, alone by the schema's lock. Raises SchemaBusy."""
    with _disposed(create(url)) as engine, translated(engine), engine.connect() as connection:
        session = Session(connection, patience)
        with session.transaction(writes=False):
            catalogue.things(connection)
        with schema_lock(connection):
            yield session


@contextmanager
def looking(url: URL) -> Iterator[Connection]:
    """A transaction that reads. Where there is no SQLite file yet, it is of an empty database, and none is created."""
    file = None if is_postgresql(url) else sqlite.file_of(url)
    nothing_yet = file is not None and file.parent.is_dir() and not file.exists()
    with (
        _disposed(create(make_url("sqlite://") if nothing_yet else url)) as engine,
        transaction(engine, writes=False) as connection,
    ):
        yield connection


@contextmanager
def _disposed(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()
