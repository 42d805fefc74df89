"""Beats, written down together: of a large fleet they come by hundreds in a second.

A beat says one of two things. Either that a member lives, and is as this conductor knows it: that is answered at once,
and is in its row a moment later. If the conductor ends before, the next beat says it again. Or it says what others
decide on, like a new epoch, another state, or rejected messages: that is answered when it is written, and not before.
So is the first beat that a conductor hears of a member, since only the row says whether it is one.

Whoever is retired through another conductor is told so at its next beat but one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from midflight.conductor import members
from midflight.conductor.fleet import REJECTED
from midflight.db import journal
from midflight.db.engine import Database
from midflight.errors import DatabaseBusy, DatabaseUnreachable, NotAMember
from midflight.telemetry import log

MOST_KNOWN = 100_000
"""Members of which it is remembered what was written; beyond it they are asked of the rows again."""

_NOBODY_S_FAULT = DatabaseBusy, DatabaseUnreachable


class Said(NamedTuple):
    """What a beat says of its member that others decide on."""

    state: str
    epoch: int


@dataclass(eq=False)
class Beat:
    """One that is answered when it is written."""

    member: str
    said: Said
    rejected: Sequence[dict[str, str]]
    turns: bool
    """Whether its state may be another one than before. An epoch that thousands acknowledge changes nobody's."""
    written: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Whether there is such a member."""


class Beats:
    """The beats that one conductor hears. ``clock`` tells the time."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._known: dict[str, Said] = {}
        """What is written of each, as far as this conductor knows."""
        self._living: set[str] = set()
        self._telling: list[Beat] = []
        self._since: datetime | None = None
        """When the first of those was heard that are not written yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def beat(self, member: str, said: Said, rejected: Sequence[dict[str, str]]) -> None:
        """Raises NotAMember for somebody who never joined, left, or was retired; and what writing raises."""
        self._since = self._since or self._clock()
        known = self._known.get(member)
        if known == said and not rejected:
            self._living.add(member)
            if self._timer is None and self._writing is None:
                self._timer = asyncio.get_running_loop().call_later(members.GATHER_SECONDS, self._begin)
            return
        beat = Beat(member, said, rejected, turns=known is None or known.state != said.state)
        self._telling.append(beat)
        self._begin()
        if not await asyncio.shield(beat.written):
            raise NotAMember(member=member)

    def forget(self, member: str) -> None:
        """The row of this member has changed: what its next beat says is compared with that."""
        self._known.pop(member, None)
        self._living.discard(member)

    async def flush(self) -> None:
        """Write what was gathered, and come back when it is written."""
        self._begin()
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None and (self._living or self._telling):
            self._writing = asyncio.create_task(self._write_all(), name="beats")

    async def _write_all(self) -> None:
        """One batch after the other, as long as somebody waits for one: what comes meanwhile is the next."""
        try:
            await self._write()
            while self._telling:
                await self._write()
        finally:
            self._writing = None
        if self._living:
            self._timer = asyncio.get_running_loop().call_later(members.GATHER_SECONDS, self._begin)

    async def _write(self) -> None:
        telling, self._telling = self._telling, []
        living, self._living = self._living.difference(beat.member for beat in telling), set()
        at, self._since = self._since or self._clock(), None
        try:
            found = await self._database.write(_written, living, telling, at)
        except Exception as wrong:  # noqa: BLE001  # whoever waits is told
            self._known.clear()  # so that from now on whoever beats hears of it
            await self._one_by_one(telling, at, wrong)
            log.warning("fleet.beats_not_written", members=len(living), reason=str(wrong))
            return
        for member in living - found:
            self.forget(member)
        for beat in telling:
            self._answer(beat, beat.member in found)

    async def _one_by_one(self, telling: list[Beat], at: datetime, wrong: Exception) -> None:
        """What cannot be written of one member is not the others' fault."""
        for beat in telling:
            if isinstance(wrong, _NOBODY_S_FAULT) or len(telling) == 1:
                self._fail(beat, wrong)
                continue
            try:
                self._answer(beat, bool(await self._database.write(_written, set(), [beat], at)))
            except Exception as error:  # noqa: BLE001  # as above
                self._fail(beat, error)

    def _answer(self, beat: Beat, found: bool) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        if found:
            self._known[beat.member] = beat.said
        else:
            self.forget(beat.member)
        if not beat.written.done():
            beat.written.set_result(found)

    def _fail(self, beat: Beat, error: Exception) -> None:
        if not beat.written.done():
            beat.written.set_exception(error)
            beat.written.exception()  # so that nothing is said where nobody waits any more


def _written(connection: Connection, living: Collection[str], telling: Sequence[Beat], at: datetime) -> set[str]:
    """Write a batch; returns who of them is a member."""
    turned = members.turned(connection, {beat.member: beat.said.state for beat in telling if beat.turns})
    found = members.hear(connection, living, at)
    latest = {beat.member: beat.said for beat in telling}
    by_said: dict[Said, list[str]] = defaultdict(list)
    for member, said in latest.items():
        by_said[said].append(member)
    for said, who in by_said.items():
        found |= members.hear(connection, who, at, **said._asdict())
    for member, state in turned:
        members.note_state(connection, member, state)
    for beat in telling:
        for facts in beat.rejected if beat.member in found else ():
            journal.write(connection, REJECTED, facts)
    return found
