"""Rows are migrated chunk by chunk, at the fleet's pace, for whoever asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from midflight.conductor.data_objects import SweepResult
from midflight.conductor.latency import Latency
from midflight.db import journal
from midflight.db.engine import Database
from midflight.errors import DatabaseError, StepBlocked, Superseded
from midflight.migrations import control, lease, runner
from midflight.migrations.faults import is_too_much
from midflight.migrations.online import DataMigration
from midflight.migrations.pace import Pace, Size, pause
from midflight.migrations.progress import Progress
from midflight.migrations.throttle import held_by_database, held_by_http, held_by_rpc
from midflight.rpc.repeats import Running
from midflight.telemetry import log

BRAKED = "the brake is on: `midflight data brake --release` lets rows be migrated again"
HOLD_SECONDS = 1.0
"""How long to wait before the throttles are looked at again."""
TOLD_SECONDS = 10.0
"""How often the journal is told of chunks."""
AWAY_SECONDS = 5.0
"""How long to wait for a database that is away, or full."""


def result_of(name: str, progress: Progress, *, wait: float = 0.0, stopped: str = "") -> SweepResult:
    """What a chunk did, for whoever asked for it."""
    return SweepResult(
        name=name,
        line=str(progress),
        exit_code=3 if stopped else progress.exit_code,
        matched=progress.matched,
        completed=progress.completed,
        deferred=dict(progress.deferred),
        failed=dict(progress.failed),
        more=progress.more,
        proven=progress.proven,
        state=progress.state.value,
        looked=progress.at.looked,
        of=progress.at.of,
        stopped=stopped,
        wait=wait,
    )


def _held(migration: DataMigration, why: str, wait: float = HOLD_SECONDS, *, braked: bool = False) -> SweepResult:
    line = str(Progress(migration.table, more=True))
    return SweepResult(
        name=migration.name, line=line, exit_code=1, matched=0, completed=0, more=True, held=why, wait=wait,
        braked=braked,
    )  # fmt: skip


@dataclass
class Chunks:
    """What some chunks of one data migration did together."""

    since: float
    chunks: int = 0
    completed: int = 0
    deferred: int = 0
    failed: int = 0

    def add(self, progress: Progress) -> None:
        """One more."""
        self.chunks += 1
        self.completed += progress.completed
        self.deferred += sum(progress.deferred.values())
        self.failed += progress.failures

    def facts(self, name: str) -> dict[str, Any]:
        """For the journal."""
        return {"name": name, "chunks": self.chunks, "completed": self.completed, "deferred": self.deferred,
                "failed": self.failed}  # fmt: skip


def told_of(name: str, progress: Progress) -> dict[str, Any]:
    """What the journal is told of one chunk."""
    one = Chunks(0.0)
    one.add(progress)
    return one.facts(name)


class Sweeper:
    """Migrates rows of one database. ``clock`` is one that nobody sets."""

    def __init__(self, database: Database, latency: Latency, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._latency, self._clock = database, latency, clock
        self._sizes: dict[str, Size] = {}
        self._let_through: dict[str, float] = {}
        self._untold: dict[str, Chunks] = {}

    async def chunk(self, migration: DataMigration, generation: int | None = None) -> SweepResult:
        """One chunk, as large as the pace allows, or why there was none. Under a lease its generation is checked in the
        chunk's own transaction, which raises Superseded.

        A chunk that takes the database too long is tried again with half as many rows the next time; a row that does
        so alone goes into quarantine. Raises StepBlocked, and ProjectError where migration and schema do not fit.
        """
        try:
            with Running(None):
                return await self._chunk(migration, generation)
        except (DatabaseError, DBAPIError) as wrong:
            if isinstance(wrong, Superseded):
                raise
            return await self._not_now(migration, wrong)

    async def _chunk(self, migration: DataMigration, generation: int | None) -> SweepResult:
        if why := await self._throttled(migration):
            return _held(migration, why)
        size, begun = self._size(migration), self._clock()
        pace, progress, worked = await self._database.write(_work, migration, size.rows, generation)
        if progress is None:
            return _held(migration, BRAKED, braked=True)
        seconds = self._clock() - begun
        if progress.looked:
            size.took(progress.looked, worked, pace)
        await self._tell(migration.name, progress)
        stopped = control.why_stop(progress.at, pace) if progress.more else None
        if stopped:
            await self._database.write(control.stop, migration.name, stopped)
        return result_of(migration.name, progress, wait=pause(seconds, pace), stopped=stopped or "")

    async def _tell(self, name: str, progress: Progress) -> None:
        """There are many chunks: the journal has those of some seconds together, and the last of a pass at once."""
        untold = self._untold.setdefault(name, Chunks(self._clock()))
        untold.add(progress)
        if progress.more and self._clock() - untold.since < TOLD_SECONDS:
            return
        del self._untold[name]
        if not (untold.completed or untold.deferred or untold.failed):
            return
        try:
            await self._database.write(journal.write, "migration.chunks", untold.facts(name))
        except (DatabaseError, DBAPIError) as wrong:  # the rows are migrated all the same
            log.warning("migrations.chunks_untold", **untold.facts(name), reason=str(wrong))

    async def _throttled(self, migration: DataMigration) -> str | None:
        """Why rows had better wait. Where nothing held them, the throttles are left alone for a while."""
        now = self._clock()
        if now - self._let_through.get(migration.name, -HOLD_SECONDS) < HOLD_SECONDS:
            return None
        pace, why = await self._database.read(_look, migration)
        why = why or held_by_rpc(self._latency.p99, pace)
        if pace.http:
            why = why or await asyncio.to_thread(held_by_http, pace)
        if why is None:
            self._let_through[migration.name] = now
        return why

    def _size(self, migration: DataMigration) -> Size:
        return self._sizes.setdefault(migration.name, Size())

    async def _not_now(self, migration: DataMigration, wrong: Exception) -> SweepResult:
        cause = wrong if isinstance(wrong, DBAPIError) else wrong.__cause__
        too_much = isinstance(cause, DBAPIError) and is_too_much(cause)
        why = str(cause.orig).strip().splitlines()[0] if isinstance(cause, DBAPIError) else str(wrong)
        if not too_much:
            log.warning("migrations.held", name=migration.name, reason=why)
            return _held(migration, why, AWAY_SECONDS)
        if not self._size(migration).failed():
            await self._database.write(control.skip, migration, f"even alone it was too much: {why}")
        return _held(migration, f"a chunk was too much and is halved: {why}", 0.0)


def _look(connection: Connection, migration: DataMigration) -> tuple[Pace, str | None]:
    pace = lease.read(connection).pace
    return pace, held_by_database(connection, pace, migration.table)


def _work(
    connection: Connection, migration: DataMigration, rows: int, generation: int | None
) -> tuple[Pace, Progress | None, float]:
    """A chunk by the present settings, unless the brake is on; and the seconds for which it held its rows.

    Waiting for a turn, and for the disk at the commit, is left out: that costs the same, however few rows there are.
    """
    runner.begin(connection)
    present = lease.read(connection) if generation is None else lease.renew(connection, generation)
    if present.brake:
        return present.pace, None, 0.0
    begun, rows = time.monotonic(), min(rows, present.pace.most_rows)
    progress = runner.sweep(connection, migration, rows, rows)
    return present.pace, progress, time.monotonic() - begun


def refuse_braked(connection: Connection, migration: DataMigration) -> None:
    """Raises StepBlocked while the brake is on."""
    if lease.read(connection).brake:
        raise StepBlocked(step=f"Running {migration.name}", reason=BRAKED)
