"""SQLite as midflight uses it: one file, several processes that read and write it, transactions that hold together.

The driver's own transactions are switched off (they half-apply a failing schema change). A transaction that may write
takes the write lock when it begins, so it never fails in its middle because another process wrote; one that only
reads sees one snapshot, and is refused if it writes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, ExceptionContext, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from midflight.errors import DatabaseBusy, DatabaseUnreachable, InvalidValue, NoDatabaseUrl

BUSY_SECONDS = 5.0
"""How long a transaction waits for the write lock of another process."""

_UNUSABLE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR}
_PRIMARY = 0xFF
"""Mask: the low byte of an extended result code is its primary one."""


def create(url: URL) -> Engine:
    """An engine whose transactions begin by the connection's execution option ``writes`` (default: False)."""
    engine = _engine(url)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _refuse_huge)
    return engine


def _engine(url: URL, **how: Any) -> Engine:
    # The file is opened by the thread that works on it; SQLAlchemy's pool may close it from another one.
    connect_args = {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect_args, json_deserializer=_from_json, **how)
    event.listen(engine, "connect", _prepare)
    return engine


def impatient(url: URL) -> Connection:
    """A connection that only reads, and raises at once where it would have to wait for a lock.

    Its transactions are the caller's: ``BEGIN`` on the driver. And the driver's errors come as they are, since its
    engine has no listeners, which cost a tenth of a short read.
    """
    connection = _engine(url, poolclass=NullPool).connect()
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    connection.exec_driver_sql("PRAGMA query_only = ON")
    connection.rollback()
    return connection


def file_of(url: URL) -> Path | None:
    """The file of a database; None for one in memory."""
    in_memory = url.database in (None, "", ":memory:")
    return None if in_memory else Path(str(url.database)).absolute()


def index_names(connection: Connection) -> set[tuple[str, str]]:
    """``(table, index)`` for each index that somebody named; the inspector knows none that stands on an expression."""
    named = text("SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {(table, index) for table, index in connection.execute(named)}


def why_not(url: URL, wrong: DBAPIError) -> str:
    """What keeps a database from being opened, in words that lead to the mistake."""
    file = file_of(url)
    if file is not None and file.exists() and not os.access(file, os.R_OK | os.W_OK):
        return "this process may not read and write the file"
    if file is not None and not os.access(file.parent, os.W_OK | os.X_OK):
        return f"this process may not write to the folder {file.parent}, where SQLite keeps files beside it"
    return str(wrong.orig)


def _mistake(file: Path | None, code: int) -> str:
    """Why no database can ever be there, so that trying again is of no use; empty where one may be."""
    if code == sqlite3.SQLITE_NOTADB:
        return "file is not a database"
    if file is None or code != sqlite3.SQLITE_CANTOPEN:
        return ""
    if not file.parent.is_dir():
        return f"the folder {file.parent} does not exist"
    return "it is a folder" if file.is_dir() else ""


def translate(url: URL, wrong: DBAPIError) -> DatabaseBusy | DatabaseUnreachable | None:
    """Our error for a driver's error, or None for one that is the business of who wrote the statement."""
    code = getattr(wrong.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusy(url=url.render_as_string(), seconds=BUSY_SECONDS)
    if mistake := _mistake(file_of(url), code):
        return NoDatabaseUrl(url=url.render_as_string(), reason=mistake)
    if code in _UNUSABLE:
        return DatabaseUnreachable(url=url.render_as_string(), reason=why_not(url, wrong))
    if code == sqlite3.SQLITE_READONLY and _is_guarded(file_of(url)):
        return DatabaseUnreachable(url=url.render_as_string(), reason=why_not(url, wrong))
    if code == sqlite3.SQLITE_READONLY:
        wrong.add_note("Work that writes goes through Database.write; Database.read only reads.")
    return None


def _is_guarded(file: Path | None) -> bool:
    """Whether it is the file's permissions that keep us from writing, and not our own transaction that only reads."""
    return file is not None and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def _from_json(text: str) -> Any:
    """Four times as fast as Python's own decoder, which reads what few others write: ``NaN``, half characters."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


def _prepare(connection: sqlite3.Connection, record: Any) -> None:
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    record.info["query_only"] = False


def _use_wal(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other. The switch itself does not honour the busy timeout."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as busy:
            if busy.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(0.01)


def _refuse_huge(met: ExceptionContext) -> InvalidValue | None:
    """The driver raises a bare OverflowError for a number that no column can keep: it is a wrong value like others."""
    if not isinstance(met.original_exception, OverflowError):
        return None
    return InvalidValue(path="a value for the database", received="a larger number", expected="one of 64 bits")


def _begin(connection: Connection) -> None:
    writes = bool(connection.get_execution_options().get("writes", False))
    if connection.info["query_only"] is writes:
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.info["query_only"] = not writes
    if writes:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # it takes no lock and so cannot fail, and needs nothing of what SQLAlchemy does around a statement
        connection.connection.dbapi_connection.execute("BEGIN")  # type: ignore[union-attr]  # it is open, and sqlite3's
