"""Rows are migrated while nobody waits for it: by one conductor of the fleet at a time, under a lease."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from midflight.conductor.sweeper import AWAY_SECONDS, Sweeper
from midflight.db import forms
from midflight.db.engine import Database
from midflight.db.write_form import Form
from midflight.errors import DatabaseError, MidflightError, Superseded
from midflight.migrations import control, lease, state
from midflight.migrations.control import Wanted
from midflight.migrations.lease import Lease
from midflight.migrations.online import DataMigration
from midflight.project import Project
from midflight.telemetry import log

LEASE_SECONDS = 15.0
"""Who has not seen a holder's beat move for so long takes its place."""
IDLE_SECONDS = 2.0
"""How often a conductor with nothing to do looks whether there is something."""
AGAIN_SECONDS = 60.0
"""How long rows that were held up are left alone before all are looked at again."""


@dataclass
class _Seen:
    """What a conductor last saw of another's lease, and since when it has not moved."""

    generation: int
    beat: int
    since: float


class Background:
    """Runs in each conductor; one at a time holds the lease and migrates what is wanted, migration by migration in
    turn."""

    def __init__(
        self, project: Project, database: Database, sweeper: Sweeper, member: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._project, self._database, self._sweeper, self._member = project, database, sweeper, member
        self._clock = clock
        self._generation: int | None = None
        self._seen: _Seen | None = None
        self._not_before: dict[str, float] = {}
        self._turn_of = 0
        self._kick = asyncio.Event()

    def kick(self) -> None:
        """There may be something to do."""
        self._not_before.clear()
        self._kick.set()

    async def run(self) -> None:
        """Until it is cancelled; then the lease is free at once."""
        try:
            while True:
                wait = await self._guarded_turn()
                await self._sleep(wait)
        finally:
            await self._leave()

    async def _guarded_turn(self) -> float:
        try:
            return await self.turn()
        except Superseded as wrong:
            log.warning("migrations.superseded", reason=str(wrong))
            self._generation = None
            return IDLE_SECONDS
        except (MidflightError, DBAPIError) as wrong:
            log.warning("migrations.background_failed", reason=str(wrong))
            return AWAY_SECONDS

    async def turn(self) -> float:
        """Do what there is to do now; the seconds to wait before the next turn."""
        present, wanted = await self._database.read(_wanted, self._project)
        if not wanted:
            await self._leave()
            return IDLE_SECONDS
        if self._generation is None and not await self._take(present):
            return IDLE_SECONDS
        ready = [name for name in wanted if self._not_before.get(name, 0.0) <= self._clock()]
        if not ready:
            await self._beat("rows are held up; all are looked at again soon")
            return IDLE_SECONDS
        self._turn_of += 1
        return await self._chunk(self._project.migration(ready[self._turn_of % len(ready)]))

    async def _chunk(self, migration: DataMigration) -> float:
        try:
            result = await self._sweeper.chunk(migration, self._generation)
        except MidflightError as wrong:
            if isinstance(wrong, DatabaseError):
                raise
            await self._database.write(control.stop, migration.name, str(wrong))
            return 0.0
        if result.held:
            await self._beat(result.held)
        elif result.proven:
            await self._database.write(control.finish, migration.name)
        elif not result.more:
            self._not_before[migration.name] = self._clock() + AGAIN_SECONDS
        return result.wait

    async def _beat(self, why: str) -> None:
        if self._generation is not None:
            await self._database.write(lease.renew, self._generation, why)

    async def _take(self, present: Lease) -> bool:
        """Take a lease that nobody holds, or whose holder has not moved for long by our own clock."""
        if present.holder:
            now = self._clock()
            moved = self._seen is None or (self._seen.generation, self._seen.beat) != (present.generation, present.beat)
            if moved:
                self._seen = _Seen(present.generation, present.beat, now)
            if self._seen is None or now - self._seen.since < LEASE_SECONDS:
                return False
        self._generation = await self._database.write(lease.take, self._member, present)
        return self._generation is not None

    async def _leave(self) -> None:
        generation, self._generation = self._generation, None
        if generation is not None:
            await self._database.write(lease.leave, generation)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._kick.wait(), seconds)
        except TimeoutError:
            pass
        self._kick.clear()


def _wanted(connection: Connection, project: Project) -> tuple[Lease, list[str]]:
    """The lease, and the migrations that are to be run now: wanted, and with all that they need proven."""
    standings = state.read_all(connection)
    written = forms.current(connection)

    def is_done(name: str) -> bool:
        found: Any = standings.get(name)
        return written.get(name) is Form.NEW or (found is not None and found.state is state.State.PROVEN)

    ready = [
        each.name
        for each in project.migrations.values()
        if each.name in standings and standings[each.name].wanted == Wanted.RUNNING and all(map(is_done, each.needs))
    ]
    return lease.read(connection), ready
