"""Why rows wait: readings of the database's health, and the operator's own probes. What cannot be read holds too."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

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


def _first_over(readings: Iterator[Reading]) -> str | None:
    return next((str(reading) for reading in readings if reading.value > reading.limit), None)


def _readings(connection: Connection, pace: Pace, table: str) -> Iterator[Reading]:
    def number(query: str, **parameters: str) -> float:
        return float(connection.execute(text(query), parameters).scalar() or 0)

    if connection.dialect.name == "postgresql":
        yield Reading("replica lag", round(number(_REPLICA_LAG), 1), pace.replica_lag, " s")
        yield Reading("oldest transaction", round(number(_OLDEST), 1), pace.oldest_transaction, " s")
        yield Reading("statements that wait for locks", number(_WAITERS), pace.lock_waiters)
        if pace.vacuum:
            yield Reading(f"vacuum of {table}", number(_VACUUMS, table=table), 0)
    for query in pace.sql:
        yield Reading(query, number(query.replace(":", r"\:")), 0)


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
