"""The session in which a schema is changed: its transactions, how long it waits for locks, and who was in the way.

A statement that waits for a strong lock on PostgreSQL holds up all who come after it. So it waits briefly, by a setting
of the connection that raw SQL is bound by too, lets the others through, and tries again; and not for ever.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from midflight.db.engine import translated
from midflight.db.schema.words import verbatim
from midflight.errors import DatabaseBusy, DatabaseContended, SchemaBlocked

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""For so long one revision is tried again and again."""

_WAITS = (0.1, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Seconds for which the tries wait for a lock, the last one for ever after. Behind a reader of 6 s the worst SELECT
of others then waited 0.5 s, and 5.5 s without a bound; the change itself was done at the same time."""
_LATE_TRIES = 3
"""When the patience is over, so many more, to see who is in the way where nobody was seen yet."""
_PAUSES = (0.05, 0.3)
"""Between two tries, so that others get through; at random, so that no two runners keep step."""


class Session:
    """One connection that changes a schema. Its methods block."""

    def __init__(self, connection: Connection, patience: float = PATIENCE_SECONDS) -> None:
        self.connection, self._patience = connection, patience
        self.is_sqlite = connection.dialect.name == "sqlite"

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Connection]:
        """One transaction. It is alone by the schema's lock, so it may see what others commit meanwhile."""
        self.connection.execution_options(writes=writes, isolation="READ COMMITTED")
        with translated(self.connection.engine), self.connection.begin():
            yield self.connection

    def try_(self, what: str, work: Callable[[], T]) -> T:
        """Run ``work``, which is one transaction, again and again while somebody keeps a lock that it needs.

        ``what`` is named in SchemaBlocked, which is raised when the patience is over, with who was in the way.
        """
        if self.is_sqlite:
            return work()
        ends, number, late = time.monotonic() + self._patience, 0, 0
        with _InTheWay(self.connection.engine, self._backend()) as in_the_way:
            while True:
                self.wait_for_locks(_WAITS[min(number, len(_WAITS) - 1)])
                try:
                    return work()
                except (DatabaseBusy, DatabaseContended) as wrong:
                    late += time.monotonic() > ends
                    if late and (in_the_way.is_seen or late > _LATE_TRIES):
                        raise in_the_way.blocked(what, self._patience) from wrong
                number += 1
                time.sleep(random.uniform(*_PAUSES))

    def execute_alone(self, what: str, statement: str) -> None:
        """One statement outside of any transaction, as a concurrent build needs it. It holds nobody up while it
        waits, and so may wait as long as the patience."""
        with _InTheWay(self.connection.engine, self._backend()) as in_the_way:
            self.wait_for_locks(self._patience)
            try:
                self._raw(statement)
            except DatabaseBusy as wrong:
                raise in_the_way.blocked(what, self._patience) from wrong

    def wait_for_locks(self, seconds: float) -> None:
        """How long each statement from now on waits for a lock."""
        self.set("lock_timeout", f"{round(seconds * 1000)}")

    def set(self, setting: str, value: str) -> None:
        """A setting of PostgreSQL's, from now on."""
        self._raw(f"SET {setting} = {value}")

    def _raw(self, statement: str) -> None:
        self.connection.execution_options(no_begin=True)
        try:
            with translated(self.connection.engine), self.connection.begin():
                self.connection.execute(verbatim(statement))
        finally:
            self.connection.execution_options(no_begin=False)

    def _backend(self) -> int:
        pid: int = self.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]  # it is open
        return pid


class _InTheWay:
    """Looks, from a connection of its own, for whom a session waits; names the last one that was seen."""

    _EVERY = 0.02
    _QUERY = text(
        "SELECT pid, coalesce(application_name, '') AS name, coalesce(query, '') AS query,"
        " extract(epoch FROM clock_timestamp() - coalesce(xact_start, backend_start)) AS age"
        " FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(:pid)) AND pid <> :pid ORDER BY xact_start LIMIT 1"
    )

    def __init__(self, engine: Engine, pid: int) -> None:
        self._engine, self._pid = engine, pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="schema-watch", daemon=True)
        self._seen: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        if self._over.wait(_WAITS[0] / 2):  # most changes wait for nobody
            return
        try:
            self._look()
        except DBAPIError:
            pass  # the change itself meets the same trouble, and tells it

    def _look(self) -> None:
        with self._engine.connect() as connection:
            while not self._over.wait(self._EVERY):
                with connection.begin():
                    found = connection.execute(self._QUERY, {"pid": self._pid}).mappings().one_or_none()
                self._seen = dict(found) if found else self._seen

    @property
    def is_seen(self) -> bool:
        return bool(self._seen)

    def blocked(self, what: str, seconds: float) -> SchemaBlocked:
        if not self._seen:
            return SchemaBlocked(revision=what, seconds=seconds, pid="unknown", query="not seen", age="some time")
        query = " ".join(str(self._seen["query"]).split())[:200]
        age = f"{float(self._seen['age']):.0f} s"
        return SchemaBlocked(revision=what, seconds=seconds, pid=str(self._seen["pid"]), query=query, age=age)
