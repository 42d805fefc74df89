"""One schema change at a time: a lock that a killed process cannot leave behind.

On SQLite it is one of the system on a file beside the database; on PostgreSQL an advisory lock of the session in
which the schema is changed, which says in the server's list of sessions who it is. Neither can outlive its owner, or
name another one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from midflight.db import sqlite
from midflight.db.clock import now
from midflight.errors import SchemaBusy

_LONGEST_NAME = 63
"""What PostgreSQL keeps of a session's name."""

_WRITING_SECONDS = 1.0
"""How long a new owner may take to write down who it is."""


_KEY = {"word": 0x6D66, "number": 2}
_SIGNATURE = re.compile(r"midflight schema (\d+)@(.*)")
_HOLDER = text(
    "SELECT application_name, extract(epoch FROM clock_timestamp() - backend_start)"
    " FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND classid = :word AND objid = :number AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@contextmanager
def schema_lock(connection: Connection) -> Iterator[None]:
    """Hold the lock of this connection's database for the block. No transaction is open before, nor afterwards.

    Raises SchemaBusy at once, naming who holds it. On PostgreSQL the schema is to be changed by this connection, so
    that the lock is held for as long as it is, and no longer.
    """
    file = sqlite.file_of(connection.engine.url) if connection.dialect.name == "sqlite" else None
    with advisory_lock(connection) if file is None else file_lock(file):
        yield


@contextmanager
def advisory_lock(connection: Connection) -> Iterator[None]:
    """The lock on PostgreSQL."""
    with connection.begin():
        signature = f"midflight schema {os.getpid()}@{socket.gethostname()}"[:_LONGEST_NAME]
        connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": signature})
        if not connection.execute(text("SELECT pg_try_advisory_lock(:word, :number)"), _KEY).scalar_one():
            raise _busy_session(connection)
    try:
        yield
    finally:
        _unlock(connection)


def _unlock(connection: Connection) -> None:
    try:
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_unlock(:word, :number)"), _KEY)
    except DBAPIError:
        pass  # the session has ended, and its lock with it


def _busy_session(connection: Connection) -> SchemaBusy:
    name, age = connection.execute(_HOLDER, _KEY).one_or_none() or ("", 0)
    signed = _SIGNATURE.fullmatch(name)
    if signed is None:
        return SchemaBusy(owner="a session that has not signed", host="some host", age="a moment")
    return SchemaBusy(owner=f"process {signed[1]}", host=signed[2], age=_in_words(float(age)))


@contextmanager
def file_lock(database: Path) -> Iterator[None]:
    """Hold the lock of a database file for the block. Raises SchemaBusy at once, naming who holds it.

    The system frees the lock when its owner ends, in whatever way; the file itself stays.
    """
    file = os.open(f"{database}.schema-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(file)
        _sign(file)
        try:
            yield
        finally:
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def _take(file: int) -> None:
    """Two tries: an owner of which there is no signature may have gone while it was looked for."""
    if not _is_taken(file):
        return
    owner = _owner(file)
    if owner is not None or _is_taken(file):
        raise _busy(owner)


def _is_taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _sign(file: int) -> None:
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": now().isoformat()}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(owner).encode(), 0)


def _busy(owner: dict[str, str] | None) -> SchemaBusy:
    if owner is None:
        return SchemaBusy(owner="a process that has not signed", host="some host", age="a moment")
    age = (now() - datetime.fromisoformat(owner["since"])).total_seconds()
    return SchemaBusy(owner=f"process {owner['pid']}", host=owner["host"], age=_in_words(max(age, 0.0)))


def _owner(file: int) -> dict[str, str] | None:
    patience = time.monotonic() + _WRITING_SECONDS
    while time.monotonic() < patience:
        try:
            found: dict[str, str] = json.loads(os.pread(file, 4096, 0))
            return found
        except ValueError:
            time.sleep(0.01)
    return None


def _in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
