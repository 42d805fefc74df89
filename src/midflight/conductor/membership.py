"""A process's place in the fleet: it says hello, beats, obeys the view that it is given, and takes its leave."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from midflight.conductor.floors import PinFloors, made_at
from midflight.conductor.interface import FleetView, Member, MemberAPI, State
from midflight.conductor.rejections import MOST_TOLD
from midflight.conductor.views import lengthened
from midflight.context import Context
from midflight.errors import (
    CommitUnknown,
    ConfigError,
    DatabaseBusy,
    DatabaseContended,
    MidflightError,
    NotAMember,
    NotDelivered,
    OutsideWindow,
    Unknown,
)
from midflight.objects import wire
from midflight.objects.kinds import kind_of
from midflight.objects.nested import object_kind
from midflight.rpc.rejected import log_rejected, reported
from midflight.telemetry import log

PATIENCE_SECONDS = 3.0
"""How often a member that waits for a conductor says so."""
RETRY_SECONDS = 0.25
FAREWELL_SECONDS = 1.0
"""The longest that a member in a hurry to stop waits for a conductor to hear of it."""
MOST_KEPT = 1_000
"""So many wait for a conductor; beyond it the oldest are forgotten, which each end has logged."""

_LATER = (NotDelivered, Unknown, DatabaseBusy, DatabaseContended, CommitUnknown)
"""Hello and beats may be said twice, so all of these mean: try again."""
_UNHEARD = (*_LATER, NotAMember, asyncio.CancelledError)
"""After these a beat's reports are told again; any other error may be the fault of the reports."""

_DRAFT = ".draft"
_DRAFT_SECONDS = 3600.0
"""So old, a draft of a view is nobody's any more: it takes moments to write."""

_VIEW = kind_of(FleetView, object_kind, "FleetView")


class Registrar(Protocol):
    """Who keeps the list of members: the conductor's server in this process, or the way to one."""

    async def hello(self, context: Context, member: Member, manifest: dict[str, list[str]]) -> FleetView: ...

    async def beat(
        self, context: Context, member: str, state: str, epoch: int, view: str, rejected: list[dict[str, str]]
    ) -> FleetView | None: ...

    async def leave(self, context: Context, member: str) -> None: ...


class ViewFile:
    """The last view that this member acknowledged, for a start while no conductor answers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> FleetView | None:
        """The kept view, or None where there is none that can be read."""
        try:
            view: FleetView = wire.decode(self._path.read_bytes(), _VIEW, path=str(self._path))
        except FileNotFoundError:
            return None
        except (OSError, MidflightError) as wrong:
            log.warning("member.view_unreadable", path=str(self._path), reason=str(wrong))
            return None
        return view

    def write(self, view: FleetView) -> None:
        """Keep a view; a kill in the middle leaves the one before. Raises ConfigError where it cannot be kept.

        Who comes in another's place on its host may keep one at the same moment, and may have the same process id, in
        a container of its own: each has a draft of its own.
        """
        self._sweep()
        draft = self._path.with_suffix(f".{secrets.token_hex(8)}{_DRAFT}")
        try:
            draft.write_bytes(wire.encode(view))
            draft.replace(self._path)
        except OSError as wrong:
            with suppress(OSError):
                draft.unlink()
            reason = f"the view of the fleet cannot be kept: {wrong.strerror}"
            raise ConfigError(path=str(self._path), where="[midflight] state", reason=reason) from None

    def _sweep(self) -> None:
        """Remove what those have left who were killed in the middle."""
        with suppress(OSError):  # another one sweeps too
            for draft in self._path.parent.glob(f"*{_DRAFT}"):
                if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                    draft.unlink()


class Membership:
    """One member's dealings with the conductors.

    ``obey`` is awaited with each new view before it is acknowledged; ``on_beat`` is called at each beat.
    """

    def __init__(
        self,
        member: Member,
        floors: PinFloors,
        registrar: Registrar,
        context: Context,
        kept: ViewFile,
        obey: Callable[[FleetView], Awaitable[None]],
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._member, self.floors, self._registrar, self._context = member, floors, registrar, context
        self._kept, self._obey, self._on_beat = kept, obey, on_beat
        self._joined = False
        self._rejected: deque[dict[str, str]] = deque(maxlen=MOST_KEPT)
        self._beat_now = asyncio.Event()
        self.refused = asyncio.Event()
        """Set when the fleet will not have this member any more; ``refusal`` says why. Its service has to stop."""
        self.refusal: OutsideWindow | None = None
        self._turn = asyncio.Lock()

    async def join(self) -> None:
        """Say hello until a conductor answers. With a view from before, go on without: each beat is another try."""
        if await self._hello():
            return
        kept = self._kept.read()
        if kept is None:
            await self._wait_for_a_conductor()
            return
        await self._take(kept)
        log.warning("member.works_alone", epoch=kept.epoch, reason="no conductor answers; the last view holds")

    async def _wait_for_a_conductor(self) -> None:
        told, loop = -PATIENCE_SECONDS, asyncio.get_running_loop()
        while not await self._hello():
            if loop.time() - told >= PATIENCE_SECONDS:
                log.warning("member.waits", reason="no conductor answers, and there is no view from before; trying on")
                told = loop.time()
            await asyncio.sleep(RETRY_SECONDS)

    async def serve(self, topics: list[str]) -> None:
        """Tell which topics this member is about to take work on."""
        self._member.topics = topics
        if self._joined:
            await self._hello()

    def say_again(self, overrides: Mapping[str, str], beat_seconds: float) -> None:
        """Tell the conductors, at once, what has changed in this member's configuration."""
        if (self._member.overrides, self._member.beat_seconds) != (overrides, beat_seconds):
            self._member.overrides, self._member.beat_seconds = dict(overrides), beat_seconds
            self._joined = False  # so that the next beat is a hello
            self._beat_now.set()

    async def _hello(self) -> bool:
        """Says whether a conductor answered."""
        before, said = self.floors.view, self.floors.epoch
        self._member.epoch = said
        try:
            view = await self._registrar.hello(self._context, self._member, self.floors.own.to_wire())
        except _LATER:
            return False
        self._joined = True
        # By time alone, since a restored database begins its epochs anew; what all were sent meanwhile is of this one.
        held = self.floors.view
        if made_at(view) >= made_at(before) if held is before else self.floors.precedes(view):
            await self._take(view)
        if self.floors.epoch != said:
            self._beat_now.set()
        return True

    async def view_changed(self, view: FleetView) -> None:
        """Obey a view that a conductor sends to all, and acknowledge it by a beat; its answer is the view for us."""
        if self.floors.precedes(view):
            await self._take(lengthened(view, self.floors.view))
        self._beat_now.set()

    async def _take(self, view: FleetView) -> None:
        """1. the write forms change, when what is being written is done 2. the floors change 3. the view is kept."""
        async with self._turn:
            before = self.floors.view
            if view.id == before.id:
                return
            await self._obey(view)
            self.floors.take(view)
            self._kept.write(view)
        if view.epoch != before.epoch:
            log.info("member.obeys", epoch=view.epoch, pins=view.pins, forms=view.forms)

    def note_rejected(self, facts: Mapping[str, str]) -> None:
        """Report a rejected message with the next beat. Raises InvalidValue for facts that tell nobody anything."""
        self._rejected.append(reported(facts))

    async def beat_for_ever(self) -> None:
        """Beat every ``beat_seconds``, and at once when there is something to acknowledge, until cancelled."""
        while True:
            await self._pause()
            await self.beat()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._member.beat_seconds):
                await self._beat_now.wait()
        except TimeoutError:
            pass  # nothing to acknowledge: it is time for an ordinary beat
        self._beat_now.clear()

    async def beat(self) -> None:
        """One beat, or a hello for who is not known. Raises nothing: the next beat is the next chance."""
        self._on_beat()
        try:
            await (self._beat() if self._joined else self._hello())
        except NotAMember:
            self._joined = False
            self._beat_now.set()
        except OutsideWindow as refused:
            log.error("member.refused", reason=str(refused))
            self.refusal = refused
            self.refused.set()
        except _LATER as wrong:
            log.warning("member.beat_missed", reason=str(wrong))
        except Exception:  # noqa: BLE001  # whatever a beat meets, the next one may go well
            log.exception("member.beat_failed")

    async def _beat(self) -> None:
        told = [self._rejected.popleft() for _ in range(min(MOST_TOLD, len(self._rejected)))]
        member, view = self._member, self.floors.view
        try:
            answer = await self._registrar.beat(self._context, member.id, member.state, view.epoch, view.id, told)
        except _UNHEARD:
            self._rejected = deque([*told, *self._rejected][-MOST_KEPT:], maxlen=MOST_KEPT)
            raise
        if answer is not None and self.floors.precedes(answer):
            await self._take(answer)
        if self._rejected or self.floors.epoch != view.epoch:
            self._beat_now.set()

    async def drain(self) -> None:
        """Announce that this member takes no new work."""
        self._member.state = State.DRAINING.value
        await self._in_a_hurry(self.beat())

    @property
    def drains(self) -> bool:
        """Whether it has announced that."""
        return self._member.state == State.DRAINING

    async def undrain(self) -> None:
        """Announce that it does."""
        self._member.state = State.ACTIVE.value
        await self._in_a_hurry(self.beat())

    @asynccontextmanager
    async def asleep(self) -> AsyncIterator[None]:
        """Asleep in the block, which is entered when that is written. Raises what a beat raises: no acknowledgement, no
        sleep. Who wakes says hello, for the fleet may have gone on."""
        before, self._member.state = self._member.state, State.ASLEEP.value
        try:
            if not (self._joined or await self._hello()):
                raise NotDelivered(what="conductor.hello", reason="no conductor answers, so nobody would know")
            await self._beat()
            yield
        finally:
            self._member.state, self._joined = before, False
            await self.beat()

    async def leave(self) -> None:
        """Take leave for good, if a conductor answers, and tell it of what was rejected meanwhile."""
        if self._rejected:
            await self._in_a_hurry(self.beat())
        await self._in_a_hurry(self._registrar.leave(self._context, self._member.id))

    async def _in_a_hurry(self, farewell: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await farewell
        except (TimeoutError, MidflightError) as wrong:  # it will be found lost, and superseded by its successor
            log.warning("member.farewell_unheard", reason=str(wrong))


class MemberServer(MemberAPI):
    """Implements MemberAPI for one member, whose host ``drain`` empties."""

    def __init__(self, membership: Membership, drain: Callable[[bool], Awaitable[list[str] | None]]) -> None:
        self._membership, self._drain = membership, drain

    async def drain(self, context: Context, undo: bool) -> list[str] | None:
        return await self._drain(undo)

    async def view_changed(self, context: Context, view: FleetView) -> None:
        await self._membership.view_changed(view)

    async def rejected(self, context: Context, facts: dict[str, str]) -> None:
        self._membership.note_rejected(facts)
        log_rejected(facts, side="sender")
