"""The inbox: one row for each message that had an effect on the database, in the transaction of the effect.

So whoever is given the message again knows, in whichever process: it has run, or it has run in part. Work that only
reads, or that may run twice with the effect of once, has no row.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sqlalchemy import Connection, Row, delete, select, text, update

from midflight import telemetry
from midflight.conductor.interface import State as MemberState
from midflight.conductor.members import state_now
from midflight.db.clock import now
from midflight.db.engine import Database
from midflight.db.tables import inbox, members
from midflight.errors import MidflightError, Unknown
from midflight.rpc.repeats import Note, Receipt, State

PRUNE_SECONDS = 60.0
PRUNED_AT_ONCE = 1_000
"""Rows in one transaction, so that nobody waits for long."""

_ADD = text(
    "INSERT INTO mf_inbox (id, digest, state, member, until) VALUES (:id, :digest, :state, :member, :until) "
    "ON CONFLICT (id) DO NOTHING"
)


class Inbox:
    """Implements repeats.Notes for one ``member`` that opens the database."""

    in_transactions = True

    def __init__(self, database: Database, member: str) -> None:
        self._database, self._member = database, member
        self._in_hand: set[str] = set()
        database.on_first_write = self.note

    async def find(self, message_id: str) -> Note | None:
        return await self._database.read(self._find, message_id)

    async def begin(self, receipt: Receipt) -> None:
        self._in_hand.add(receipt.message_id)

    async def end(self, receipt: Receipt, state: State | None) -> None:
        self._in_hand.discard(receipt.message_id)
        if state is not None and (receipt.kept or state is State.PARKED):
            await self._database.write(self._change, receipt, state)

    def note(self, connection: Connection, receipt: Receipt) -> None:
        """In the first transaction of a message's work, before the work. Raises IdReused, and Unknown for one that has
        begun already."""
        state = receipt.first_state
        added = {"digest": receipt.digest, "state": state.value, "member": self._member, "until": receipt.until(state)}
        if connection.execute(_ADD, {"id": receipt.message_id, **added}).rowcount:
            return
        row = _row(connection, receipt.message_id)
        if row is not None and row.digest != receipt.digest:
            raise receipt.reused()
        if row is None or row.state != State.PARKED or not receipt.by_word:
            # The note of a call in this process is its own, of a commit that was not known to have gone through.
            receipt.met = row is None or receipt.request.kind != "call" or row.member != self._member
            what = receipt.request.what
            telemetry.count("rpc.repeats_dropped", method=what)
            raise Unknown(what=what, reason="it was sent twice: it has run before, and its answer is not kept")
        self._change(connection, receipt, state)

    def _find(self, connection: Connection, message_id: str) -> Note | None:
        row = _row(connection, message_id)
        if row is None:
            return None
        if row.member == self._member:
            return Note(row.digest, row.state, in_hand=message_id in self._in_hand)
        return Note(row.digest, row.state, in_hand=row.state == State.BEGUN and _lives(connection, row.member))

    def _change(self, connection: Connection, receipt: Receipt, state: State) -> None:
        row = update(inbox).where(inbox.c.id == receipt.message_id)
        connection.execute(row.values(state=state.value, member=self._member, until=receipt.until(state)))

    async def prune_for_ever(self) -> None:
        """Forget now and then what is too old to come again."""
        while True:
            try:
                while await self._database.write(prune, time.time()) == PRUNED_AT_ONCE:
                    pass
            except MidflightError as trouble:  # the next time, then
                telemetry.log.warning("inbox.not_pruned", reason=str(trouble))
            await asyncio.sleep(PRUNE_SECONDS)


def _row(connection: Connection, message_id: str) -> Row[Any, Any, Any] | None:
    """The digest and the state of a message, and the member that noted it last."""
    wanted = select(inbox.c.digest, inbox.c.state, inbox.c.member).where(inbox.c.id == message_id)
    return connection.execute(wanted).one_or_none()


def _lives(connection: Connection, member: str) -> bool:
    """Whether somebody who began a message may still be at it. Who was killed is found out when it is lost."""
    row = connection.execute(select(members).where(members.c.id == member)).one_or_none()
    gone = (MemberState.LOST, MemberState.RETIRED)
    return row is not None and state_now(row.state, now() - row.seen_at, row.beat_seconds) not in gone


def prune(connection: Connection, before: float) -> int:
    """Forget the rows that are kept until then at the longest, in seconds of Unix time; says how many it were."""
    old = select(inbox.c.id).where(inbox.c.until < before).limit(PRUNED_AT_ONCE)
    return connection.execute(delete(inbox).where(inbox.c.id.in_(old))).rowcount
