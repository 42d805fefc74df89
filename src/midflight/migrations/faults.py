"""Whose fault an error of the database is: that of the row that was written, or of the world around it."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, StatementError

_ROWS_OWN = ("22", "23", "42", "44", "P0")
"""Classes of SQLSTATE, of PostgreSQL: data, integrity, what cannot be said so, check options, functions that raise."""
_WORLDS = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_INTERRUPT,
}  # fmt: skip
_PRIMARY = 0xFF
_TOO_LONG = ("55P03", "57014", "40001", "40P01")
"""Locks that were not had in time, statements that took too long, others that were in the way."""


def is_rows_own(wrong: StatementError) -> bool:
    """Whether another row might well be written: then this one has failed, and not the chunk."""
    if not isinstance(wrong, DBAPIError):
        return True  # a value that the driver was not even given
    if wrong.connection_invalidated:
        return False
    if (code := getattr(wrong.orig, "sqlite_errorcode", None)) is not None:
        return code & _PRIMARY not in _WORLDS
    state = getattr(wrong.orig, "sqlstate", None)
    return state is not None and state.startswith(_ROWS_OWN)


def is_too_much(wrong: DBAPIError) -> bool:
    """Whether a smaller chunk may get through."""
    return getattr(wrong.orig, "sqlstate", None) in _TOO_LONG
