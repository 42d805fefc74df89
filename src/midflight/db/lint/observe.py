"""One revision, watched while it runs: after each statement, which locks it holds, and what it has read and written.

Counters of a transaction carry over in a backend that is used again, so each revision has a connection of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event

STRONG = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
"""Weakest first. Who holds one on a table keeps others from writing to it; with the last one, from reading too."""

_TABLES = """
SELECT oid::bigint, relname, coalesce(pg_relation_filenode(oid), 0)::bigint FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
  AND relname NOT LIKE 'mf\\_%' AND relname <> 'alembic_version'
"""
_LOCKS = "SELECT relation::bigint, mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted AND relation IS NOT NULL"
_COUNTERS = """
SELECT relid::bigint, coalesce(seq_tup_read, 0)::bigint, (n_tup_ins + n_tup_upd + n_tup_del)::bigint
FROM pg_stat_xact_user_tables
"""


@dataclass(frozen=True)
class Seen:
    """One statement, and what it left behind. Tables are those that were there before the revision."""

    sql: str
    seconds: float
    locks: Mapping[str, str]
    """Table → the strong lock that is held on it now."""
    read: Mapping[str, int]
    """Table → rows that it read one after the other."""
    changed: Mapping[str, int]
    """Table → rows that it inserted, changed or deleted."""
    rewritten: frozenset[str]
    in_transaction: bool = True


@dataclass
class Watch:
    """What was seen of a revision, in order."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """Table → rows before."""
    seen: list[Seen] = field(default_factory=list)

    def held_since(self, table: str) -> int | None:
        """The number of the statement that took the strong lock of a table."""
        return next((number for number, each in enumerate(self.seen) if table in each.locks), None)


@contextmanager
def watching(connection: Connection) -> Iterator[Watch]:
    """Watch what a fresh connection executes in the block."""
    driver: Any = connection.connection.driver_connection
    tables = {oid: (name, node) for oid, name, node in driver.execute(_TABLES).fetchall()}
    watch = Watch({name: _count(driver, name) for name, _ in tables.values()})
    state = _State(driver, tables)

    def before(*_: Any) -> None:
        state.begun = time.perf_counter()

    def after(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        watch.seen.append(state.look(" ".join(statement.split()), time.perf_counter() - state.begun))

    event.listen(connection, "before_cursor_execute", before)
    event.listen(connection, "after_cursor_execute", after)
    try:
        yield watch
    finally:
        event.remove(connection, "before_cursor_execute", before)
        event.remove(connection, "after_cursor_execute", after)


def _count(driver: Any, table: str) -> int:
    name = '"' + table.replace('"', '""') + '"'
    found: int = driver.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608  # a name
    return found


class _State:
    """How it stood after the last statement."""

    def __init__(self, driver: Any, tables: Mapping[int, tuple[str, int]]) -> None:
        self.begun = 0.0
        self._driver, self._names = driver, {oid: name for oid, (name, _) in tables.items()}
        self._nodes = {oid: node for oid, (_, node) in tables.items()}
        self._counters = self._count()

    def look(self, sql: str, seconds: float) -> Seen:
        if self._driver.info.transaction_status.name != "INTRANS":  # nothing is held, nothing can be told
            return Seen(sql, seconds, {}, {}, {}, frozenset(), in_transaction=False)
        before, self._counters = self._counters, self._count()
        read, changed = dict[str, int](), dict[str, int]()
        for oid, (rows, writes) in self._counters.items():
            if oid in self._names:
                old_rows, old_writes = before.get(oid, (0, 0))
                _note(read, self._names[oid], rows - old_rows)
                _note(changed, self._names[oid], writes - old_writes)
        return Seen(sql, seconds, self._locks(), read, changed, self._rewritten())

    def _count(self) -> dict[int, tuple[int, int]]:
        """Our own looking is in it, so what counts is the difference."""
        return {oid: (read, changed) for oid, read, changed in self._ask(_COUNTERS)}

    def _locks(self) -> dict[str, str]:
        held: dict[str, str] = {}
        for oid, mode in self._ask(_LOCKS):
            if oid in self._names and mode in STRONG:
                held[self._names[oid]] = max(held.get(self._names[oid], STRONG[0]), mode, key=STRONG.index)
        return held

    def _rewritten(self) -> frozenset[str]:
        now = {oid: node for oid, _, node in self._ask(_TABLES)}
        moved = [oid for oid, node in self._nodes.items() if oid in now and now[oid] != node]
        self._nodes |= {oid: now[oid] for oid in moved}
        return frozenset(self._names[oid] for oid in moved)

    def _ask(self, query: str) -> list[Any]:
        rows: list[Any] = self._driver.execute(query).fetchall()
        return rows


def _note(counted: dict[str, int], table: str, rows: int) -> None:
    if rows > 0:
        counted[table] = rows
