"""The present view, made from the rows, and made anew when it is old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from midflight.conductor import manifests, members, pin_rows
from midflight.conductor.floors import NO_VIEW
from midflight.conductor.interface import FleetView, State
from midflight.conductor.peers import Kind
from midflight.conductor.views import short, view_of
from midflight.db import forms
from midflight.db.clock import common_now
from midflight.db.engine import Database
from midflight.db.epoch import current_epoch

FRESH_SECONDS = 1.0
"""For so long a conductor answers from the same view, unless it knows of a change: beats are cheap in a large fleet."""

SHARE = 0.02
"""Of a conductor's time, at most, goes into looking for changes of which it does not know: the view of a fleet that is
so large that it takes longer to read holds longer."""


def load_view(connection: Connection, at: datetime) -> FleetView:
    """The view at this moment. Members order views by their time, and those of conductors whose clocks differ too."""
    read_at = common_now(connection, at)  # first: the snapshot is none of a later moment
    everyone, pinned = members.present(connection, at), pin_rows.current(connection)
    present = [each for each in everyone if each.state != State.ASLEEP]
    known = manifests.find(connection, [m.manifest for m in present] + [pin.manifest for pin in pinned])
    written = {name: form.value for name, form in forms.current(connection).items()}
    return view_of(present, known, pinned, written, current_epoch(connection), read_at)


def _load(connection: Connection, at: datetime) -> tuple[FleetView, set[Kind], float]:
    """With the seconds of CPU time that it took."""
    began = time.thread_time()
    view, kinds = load_view(connection, at), members.kinds(connection)
    return view, kinds, time.thread_time() - began


class _Look(NamedTuple):
    """What one look at the rows has found. ``change`` is the last change that was known when it began."""

    view: FleetView
    kinds: set[Kind]
    change: int
    until: float
    """When it is too old to be answered with."""


class Views:
    """The present view, read again when it is a second old or known to be out of date."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], write_beats: Callable[[], Awaitable[None]]
    ) -> None:
        self._database, self._clock, self._write_beats = database, clock, write_beats
        self._change = 0
        self._last = _Look(NO_VIEW, set(), -1, 0.0)
        self._looking: tuple[int, asyncio.Task[_Look]] | None = None
        """The look that is under way, with the last change that it knows."""
        self._short = NO_VIEW, NO_VIEW
        """A view, and the short one of it."""

    async def current(self, epoch: int = 0) -> FleetView:
        """The view; never one from before ``epoch``, which the caller knows to exist."""
        last, looking = self._last, self._looking
        if last.change == self._change and last.view.epoch >= epoch and (looking or time.monotonic() <= last.until):
            return last.view
        if looking is not None and looking[0] == self._change:  # one look is enough for all who ask meanwhile
            found = await asyncio.shield(looking[1])
            if found.view.epoch >= epoch:
                return found.view
        return (await asyncio.shield(self._begin())).view

    def _begin(self) -> asyncio.Task[_Look]:
        task = asyncio.create_task(self._look(self._change))
        self._looking = self._change, task
        task.add_done_callback(self._looked)
        return task

    async def _look(self, change: int) -> _Look:
        await self._write_beats()  # so that nobody seems lost who was heard here
        view, kinds, took = await self._database.read(_load, self._clock())
        return _Look(view, kinds, change, time.monotonic() + max(FRESH_SECONDS, took / SHARE))

    def _looked(self, task: asyncio.Task[_Look]) -> None:
        if self._looking is not None and self._looking[1] is task:
            self._looking = None
        if not task.cancelled() and task.exception() is None and task.result().change >= self._last.change:
            self._last = task.result()

    async def current_short(self, epoch: int = 0) -> FleetView:
        """The short one of that."""
        view = await self.current(epoch)
        if self._short[0] is not view:
            self._short = view, short(view)
        return self._short[1]

    def covers(self, kind: Kind) -> bool:
        """Whether the last view was read when there were members of this kind."""
        return kind in self._last.kinds

    def know(self, service: str, manifest: str) -> bool:
        """Whether the last view was read when there was a member of this service with this manifest."""
        return any(kind[:2] == (service, manifest) for kind in self._last.kinds)

    def forget(self) -> None:
        """Something has changed: read again at the next question."""
        self._change += 1
