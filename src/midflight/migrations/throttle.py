"""Why rows wait: readings of the database's health, and the operator's own probes. What cannot be read holds too."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from midflight.migrations.pace import Pace

HTTP_SECONDS = 2.0

_REPLICA_LAG = "SELECT coalesce(max(extract(epoch FROM replay_lag)), 0) FROM pg_stat_replication"
_OLDEST = """
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()
"""
_WAITERS = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_VACUUMS = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = to_regclass(:table)"


@dataclass(frozen=True)
class Reading:
    """One number, and how high it may be."""

    what: str
    value: float
    limit: float
    unit: str = ""

    def __str__(self) -> str:
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
            theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            found["clock"] = [round((at - theirs.astimezone(UTC)).total_seconds(), 1), MOST_CLOCK_SECONDS]
            found |= {each.what: [each.value, each.limit] for each in _of_server(connection, pace)}
    except DBAPIError:
        found["statistics"] = []
    return found


def _first_over(readings: Iterator[Reading]) -> str | None:
    return next((str(reading) for reading in readings if reading.value > reading.limit), None)


def _readings(connection: Connection, pace: Pace, table: str) -> Iterator[Reading]:
    def number(query: str, **parameters: str) -> float:
        return float(connection.execute(text(query), parameters).scalar() or 0)

    if connection.dialect.name == "postgresql":
        yield from _of_server(connection, pace)
        if pace.vacuum:
            yield Reading(f"vacuum of {table}", number(_VACUUMS, table=table), 0)
    for query in pace.sql:
        yield Reading(query, number(query.replace(":", r"\:")), 0)


def _of_server(connection: Connection, pace: Pace) -> Iterator[Reading]:
    def number(query: str) -> float:
        return float(connection.execute(text(query)).scalar() or 0)

    yield Reading("replica lag", round(number(_REPLICA_LAG), 1), pace.replica_lag, " s")
    yield Reading("oldest transaction", round(number(_OLDEST), 1), pace.oldest_transaction, " s")
    yield Reading("statements that wait for locks", number(_WAITERS), pace.lock_waiters)


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
