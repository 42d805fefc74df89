"""Times in tables: aware, in UTC, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, TypeDecorator, text


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def common_now(connection: Connection, own: datetime) -> datetime:
    """This moment by the clock that all have in common who open this database: PostgreSQL's. Those of an SQLite are on
    one host, and it is our ``own``."""
    if connection.dialect.name != "postgresql":
        return own
    theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return theirs.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A column of aware times. They are stored in UTC; a naive time is refused with a ValueError.

    Databases without time zones (SQLite) keep the naive UTC time as ISO text, which sorts like the times themselves.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"received the naive time {value}, expected an aware one, like datetime.now(UTC)")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
