"""PostgreSQL as midflight uses it: several transactions at once, each as if it were alone.

A transaction that writes is SERIALIZABLE, so that what a piece of work has read is still true when it commits, as it
is on SQLite, where there is one writer at a time. Where PostgreSQL cannot keep that promise it refuses one of the
two, with nothing written, and the engine runs that work again. One that only reads sees one snapshot, and is refused
if it writes.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from midflight.errors import (
    DatabaseBusy,
    DatabaseContended,
    DatabaseError,
    DatabaseUnreachable,
    InvalidValue,
    MissingExtra,
    NoDatabaseUrl,
)

BUSY_SECONDS = 5.0
"""How long a statement waits for a lock that somebody else has, and for how long work is run again because others were
in its way."""

WORKERS = 4
"""Transactions of one process at once, each in a thread and on a connection of its own. Python does one thing at a
time: more threads make nothing faster, and each costs the server a process."""

_CONTENDED = {"40001", "40P01"}
"""A transaction that cannot be ordered with another one; a deadlock."""
_AWAY = ("08", "57P", "53", "58")
"""Classes of states in which a server does nothing for us: no connection, it shuts down or starts, no room, its system
fails."""
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "midflight",
}
"""A server that has gone without a word is noticed within 15 s, and not after hours. The URL's own words go first."""


def create(url: URL) -> Engine:
    """An engine whose transactions begin by the connection's execution option ``writes`` (default: False).

    Raises MissingExtra where psycopg is not installed.
    """
    given = {name: value for name, value in _CONNECT.items() if name not in url.query}
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of, it raises too, and there it is dealt with
    # The driver begins nothing by itself: a BEGIN that fails has run no work, so it may be tried again.
    connect_args = {"autocommit": True, **given}
    try:
        engine = create_engine(url.set(drivername="postgresql+psycopg"), connect_args=connect_args)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise MissingExtra(module="a postgresql:// database", missing="psycopg", extra="postgresql") from None
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def translate(url: URL, wrong: DBAPIError) -> DatabaseError | InvalidValue | None:
    """Our error for a driver's error, or None for one that is the business of who wrote the statement."""
    state, shown = state_of(wrong), url.render_as_string()
    if state in _CONTENDED or _is_stale_plan(wrong):
        return DatabaseContended(url=shown, seconds=BUSY_SECONDS)
    if state == "55P03":
        return DatabaseBusy(url=shown, seconds=BUSY_SECONDS)
    if state == "22003":
        return InvalidValue(path="a value for the database", received="a larger number", expected="one that fits")
    if state == "25006" and _is_standby(wrong):
        return DatabaseUnreachable(url=shown, reason="this server is a standby, which takes no writes")
    if state == "25006":
        wrong.add_note("Work that writes goes through Database.write; Database.read only reads.")
        return None
    if state.startswith(_AWAY) or wrong.connection_invalidated:
        return DatabaseUnreachable(url=shown, reason=reason_of(wrong))
    return _before_the_server(shown, wrong) if not state else None


def state_of(wrong: DBAPIError) -> str:
    """The five characters by which PostgreSQL names an error; empty where the server never spoke."""
    return getattr(wrong.orig, "sqlstate", None) or ""


def reason_of(wrong: DBAPIError) -> str:
    """The first line of what the driver says, without its full stop."""
    lines = str(wrong.orig).strip().splitlines() or [type(wrong.orig).__name__]
    return lines[0].strip().rstrip(".")


def _before_the_server(shown: str, wrong: DBAPIError) -> DatabaseError | InvalidValue | None:
    """What the driver refuses by itself, or tells of a connection that it could not make."""
    kind = type(wrong.orig).__name__
    if kind == "DataError" and "NUL" in str(wrong.orig):
        return InvalidValue(path="a value for the database", received="text with a NUL character", expected="none")
    if wrong.statement is not None:
        return None
    if kind == "ProgrammingError":
        return NoDatabaseUrl(url=shown, reason=reason_of(wrong))
    return DatabaseUnreachable(url=shown, reason=reason_of(wrong)) if kind.endswith("OperationalError") else None


def _is_stale_plan(wrong: DBAPIError) -> bool:
    """The schema has changed under a statement that was prepared before; prepared again, it runs."""
    return state_of(wrong) == "0A000" and "cached plan" in str(wrong.orig)


def _is_standby(wrong: DBAPIError) -> bool:
    return (wrong.statement or "").startswith("BEGIN")


def _prepare(connection: Any, record: Any) -> None:
    connection.execute(f"SET lock_timeout = {round(BUSY_SECONDS * 1000)}")
    connection.execute("SET timezone = 'UTC'")


def _begin(connection: Connection) -> None:
    """With the option ``no_begin``, each statement is a transaction of its own, as concurrent builds need it."""
    options = connection.get_execution_options()
    if options.get("no_begin", False):
        return
    if options.get("writes", False):
        connection.exec_driver_sql(f"BEGIN ISOLATION LEVEL {options.get('isolation', 'SERIALIZABLE')} READ WRITE")
    else:
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
