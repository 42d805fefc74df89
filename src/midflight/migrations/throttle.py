"""Why rows wait: readings of the database's health, and the operator's own probes. What cannot be read holds too."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from midflight.db.clock import common_now
from midflight.migrations.pace import Pace

HTTP_SECONDS = 2.0

# To a role without pg_monitor PostgreSQL shows empty columns of what others do, which must not be taken for a zero. Of
# its own processes, like a worker of autovacuum, it shows not even the kind; they are nobody's, and have no usesysid.
_REPLICA_LAG = """
    SELECT CASE WHEN bool_and(state IS NOT NULL) THEN coalesce(max(extract(epoch FROM replay_lag)), 0)
                WHEN count(*) = 0 THEN 0 END
    FROM pg_stat_replication
"""
_OLDEST = """
    SELECT CASE WHEN bool_and(backend_type IS NOT NULL) THEN coalesce(max(age), 0) WHEN count(*) = 0 THEN 0 END FROM (
      SELECT backend_type, CASE backend_type WHEN 'client backend' THEN
             extract(epoch FROM clock_timestamp() - xact_start) END AS age
      FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND datname = current_database() AND usesysid IS NOT NULL) AS others
"""
_WAITERS = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_VACUUMS = """
    SELECT CASE WHEN bool_and(relid IS NOT NULL) THEN count(*) FILTER (WHERE relid = to_regclass(:table))
                WHEN count(*) = 0 THEN 0 END
    FROM pg_stat_progress_vacuum WHERE datname = current_database()
"""
MAY_READ = "GRANT pg_monitor TO the role that the conductors connect as"
"""The way out where something cannot be read."""


@dataclass(frozen=True)
class Reading:
    """One number, and how high it may be; None for one that this role is not shown."""

    what: str
    value: float | None
    limit: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """It is higher than it may be, or nobody knows."""
        return self.value is None or self.value > self.limit

    @property
    def told(self) -> list[float]:
        """The number and its limit; nothing where it is not known."""
        return [] if self.value is None else [self.value, self.limit]

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.what} cannot be read: {MAY_READ}"
        return f"{self.what} {self.value:g}{self.unit}, at most {self.limit:g}{self.unit}"


def held_by_database(connection: Connection, pace: Pace, table: str) -> str | None:
    """Why the database is better left alone now; None where nothing says so."""
    try:
        with connection.begin_nested():
            return _first_over(_readings(connection, pace, table))
    except DBAPIError as wrong:
        return f"a throttle cannot be read: {wrong.orig}"


def held_by_http(pace: Pace) -> str | None:
    """Why an address says no. Blocks: call it in a thread."""
    return next((why for url in pace.http if (why := _asked(url)) is not None), None)


def held_by_rpc(p99: float | None, pace: Pace) -> str | None:
    """Why the calls here say no; None also where there are too few of them to say anything."""
    return None if p99 is None else _first_over(iter([Reading("p99 of remotables", round(p99, 3), pace.rpc_p99, " s")]))


MOST_CLOCK_SECONDS = 5.0
"""How far a conductor's clock may be from its database's: ages are differences of times that several of them wrote."""


def health(connection: Connection, pace: Pace, at: datetime) -> dict[str, list[float]]:
    """What the database says of itself: what was read → the number, and how high it may be; ``[]`` for what cannot be
    read. ``at`` is this process's time. SQLite, which one host has, says nothing."""
    found: dict[str, list[float]] = {}
    if connection.dialect.name != "postgresql":
        return found
    try:
        with connection.begin_nested():
            found["clock"] = [round((at - common_now(connection, at)).total_seconds(), 1), MOST_CLOCK_SECONDS]
            found |= {each.what: each.told for each in _of_server(connection, pace)}
    except DBAPIError:
        found["statistics"] = []
    return found


def _first_over(readings: Iterator[Reading]) -> str | None:
    return next((str(reading) for reading in readings if reading.holds), None)


def _readings(connection: Connection, pace: Pace, table: str) -> Iterator[Reading]:
    if connection.dialect.name == "postgresql":
        yield from _of_server(connection, pace)
        if pace.vacuum:
            yield Reading(f"vacuum of {table}", _number(connection, _VACUUMS, table=table), 0)
    for query in pace.sql:  # one that gives nothing has found nothing
        yield Reading(query, _number(connection, query.replace(":", r"\:")) or 0, 0)


def _of_server(connection: Connection, pace: Pace) -> Iterator[Reading]:
    yield Reading("replica lag", _number(connection, _REPLICA_LAG, digits=1), pace.replica_lag, " s")
    yield Reading("oldest transaction", _number(connection, _OLDEST, digits=1), pace.oldest_transaction, " s")
    yield Reading("statements that wait for locks", _number(connection, _WAITERS), pace.lock_waiters)


def _number(connection: Connection, query: str, *, digits: int = 9, **parameters: str) -> float | None:
    found = connection.execute(text(query), parameters).scalar()
    return None if found is None else round(float(found), digits)


def _asked(url: str) -> str | None:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "midflight"})
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as wrong:
        status = wrong.code
        wrong.close()
    except (OSError, ValueError) as wrong:
        return f"{url} cannot be asked: {wrong}"
    return None if status == 200 else f"{url} answers {status}"
