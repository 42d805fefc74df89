"""Repeats: what comes a second time under the same id is not run a second time.

Brokers and senders send again what they are not sure of. So a cast is noted before it runs and when it is done. Where
the process is killed in between, nobody can tell how far it came: that is *interrupted*, and never guessed.

Who keeps the notes depends on where effects go. Beside a database, a note is a row in the first transaction that
the work commits (``conductor/inbox.py``), so that effect and note are one. Without, it is a line in a file
(``rpc/logbook.py``). What may run twice with the effect of once is remembered in this process only.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from midflight import telemetry
from midflight.errors import IdReused, MidflightError, Unknown
from midflight.rpc.messages import Request
from midflight.rpc.work import Work, leave_if_stopped
from midflight.transports.base import Aside, Redeliver

DONE_SECONDS = 86_400.0
"""So long it is known that a cast is done: longer than a broker should be away that has not heard of it."""
OPEN_SECONDS = 30 * 86_400.0
"""So long it is known that one has begun, or is parked: its host may be off, or nobody decides."""
CALL_SECONDS = 60.0
"""So long beyond its caller's patience it is known that a call had an effect."""

_IN_HAND = 2.0
"""Seconds until a cast comes again that another process still has in hand."""
_NOT_NOTED = 5.0
"""Seconds until one comes again that could not be noted, and so must not run."""


class State(StrEnum):
    """How far a message came."""

    BEGUN = "begun"
    DONE = "done"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a message; ``in_hand`` says that somebody who lives is at it."""

    digest: str
    state: str
    in_hand: bool = False


@dataclass(slots=True, eq=False)
class Receipt:
    """One run of a message. ``by_word`` of an operator, it may also begin what was parked."""

    request: Request
    message_id: str
    by_word: bool = False
    kept: bool = False
    """Whether a transaction of its work was committed, and the note with it."""
    met: bool = False
    """Whether it was found, at its first transaction, that another run of it has begun, which for a call is one of
    another process: in one, rpc/answers.py lets each run once."""
    first: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever commits for the first time, since a handler may write from several tasks at once."""

    @property
    def digest(self) -> str:
        return digest_of(self.request)

    @property
    def first_state(self) -> State:
        """A call is not run again once it had an effect, whatever came of it."""
        return State.DONE if self.request.kind == "call" else State.BEGUN

    def until(self, state: State) -> float:
        """When a note of this may be forgotten, in seconds of Unix time."""
        now = time.time()
        if self.request.kind == "call":
            return now + (self.request.ttl or 0.0) + CALL_SECONDS
        latest = now + (DONE_SECONDS if state is State.DONE else OPEN_SECONDS)
        return latest if self.request.expires is None else min(latest, self.request.expires + CALL_SECONDS)

    def reused(self) -> IdReused:
        """The error where its id stands for another request."""
        return IdReused(sender=str(self.request.sender), what=self.request.what, message_id=self.message_id)


def digest_of(request: Request) -> str:
    """Stands for what is asked for, and by whom."""
    *said, arguments = said_in(request)
    return blake2b(msgspec.msgpack.encode(said) + bytes(arguments), digest_size=16).hexdigest()


def said_in(request: Request) -> tuple[Any, ...]:
    """What is asked for, and by whom: the same however often it is sent, with or without its sender's manifest."""
    where = request.interface, request.version, request.method, request.host
    return (request.sender, *where, request.values, request.arguments)


_current: ContextVar[Receipt | None] = ContextVar("midflight_receipt", default=None)


def unkept() -> Receipt | None:
    """The message whose work runs here, as long as nothing of it is committed. For who commits."""
    receipt = _current.get()
    return None if receipt is None or receipt.kept else receipt


class Running:
    """What is committed in the block belongs to this message; with None to none: it may be done twice, as a chunk of a
    sweep, which goes on from where the last one ended."""

    __slots__ = ("_receipt", "_token")

    def __init__(self, receipt: Receipt | None) -> None:
        self._receipt = receipt

    def __enter__(self) -> None:
        self._token = _current.set(self._receipt)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class Notes(Protocol):
    """What is known of messages, kept where their effects are."""

    in_transactions: bool
    """Whether a note is made by the first transaction of the work, and so tells that there was one."""

    async def find(self, message_id: str) -> Note | None:
        """What is known; None for a message that never began, or long ago."""
        ...

    async def begin(self, receipt: Receipt) -> None:
        """It is about to run. Raises OSError or a DatabaseError where that cannot be noted."""
        ...

    async def end(self, receipt: Receipt, state: State | None) -> None:
        """How it ended; with None it may be run again as if it had never begun. Raises as ``begin``."""
        ...


class Unsettled(Exception):
    """It has run, at least in part, or nobody can tell: it is not run again by itself. ``error`` says why."""

    def __init__(self, receipt: Receipt, error: BaseException) -> None:
        super().__init__(str(error))
        self.receipt, self.error = receipt, error


class Elsewhere(Exception):
    """Another run of a call had its effect first. That one answers it; where it cannot any more, nobody knows better
    than the caller, whose deadline passes."""


class Interrupted(Unsettled):
    """Whoever ran it was killed between its effect and the note that it was done."""


class Once:
    """Runs each cast once. ``notes`` keeps what must not run twice, ``memory`` the rest."""

    def __init__(self, notes: Notes, memory: Notes) -> None:
        self._notes, self._memory = notes, memory

    async def run(self, work: Work, message_id: str, *, by_word: bool = False, aside: Aside = nullcontext) -> State:
        """Run it in its turn, for which it waits ``aside``, unless it has run. Returns DONE when it has, now or before;
        PARKED where that is what it is, and not ``by_word`` of an operator.

        Raises IdReused, Unsettled, Redeliver while somebody else has it in hand, and else what the handler raises.
        """
        async with work.turns.taken(aside):
            if message_id:
                return await self._run(work, Receipt(work.request, message_id, by_word))
            await work.done()
            return State.DONE

    async def park(self, receipt: Receipt) -> None:
        """What was Unsettled is parked by now."""
        await self._note(receipt, State.PARKED, self._notes)

    async def _run(self, work: Work, receipt: Receipt) -> State:
        """1. whether it ran before 2. note that it begins 3. run it 4. note how it ended."""
        notes = self._memory if work.form.spec.idempotent else self._notes
        if (settled := _settled(work, receipt, await notes.find(receipt.message_id))) is not None:
            return settled
        try:
            await _begin(notes, receipt)
            with Running(receipt if notes.in_transactions else None):
                await work.done()
        except (Exception, asyncio.CancelledError) as error:
            if not receipt.kept:
                await self._note(receipt, None, notes)
            leave_if_stopped(error)
            if receipt.met:
                raise Redeliver(_IN_HAND) from error
            if receipt.kept:
                raise Unsettled(receipt, error) from error
            raise
        await self._note(receipt, State.DONE, notes)
        return State.DONE

    async def _note(self, receipt: Receipt, state: State | None, notes: Notes) -> None:
        """It has happened, whether that can be noted or not."""
        try:
            await notes.end(receipt, state)
        except (OSError, MidflightError) as trouble:
            facts = {"method": receipt.request.what, "message_id": receipt.message_id, "state": state}
            telemetry.log.error("rpc.not_noted", reason=str(trouble), **facts)


def _settled(work: Work, receipt: Receipt, note: Note | None) -> State | None:
    """What is to be done about it, where it is not to be run now."""
    if note is None:
        return None
    if note.digest != receipt.digest:
        raise receipt.reused()
    if note.state == State.BEGUN:
        if note.in_hand:
            raise Redeliver(_IN_HAND)
        raise Interrupted(receipt, Unknown(what=work.form.what, reason=INTERRUPTED))
    if note.state == State.PARKED and receipt.by_word:
        return None
    telemetry.count("rpc.repeats_dropped", method=work.form.what)
    return State(note.state)


INTERRUPTED = "the process that ran it was killed before it could note that it was done"


async def _begin(notes: Notes, receipt: Receipt) -> None:
    try:
        await notes.begin(receipt)
    except (OSError, MidflightError) as trouble:
        telemetry.log.error("rpc.not_begun", message_id=receipt.message_id, reason=str(trouble))
        raise Redeliver(_NOT_NOTED) from trouble
