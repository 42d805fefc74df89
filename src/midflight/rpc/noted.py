"""Notes that are kept in this process only."""

from __future__ import annotations

import time
from dataclasses import dataclass

from midflight.rpc.repeats import Note, Receipt, State

MOST = 20_000
"""So many messages are known at most, a few megabytes of them; the oldest that are done are forgotten first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A note, and until when it is kept, in seconds of Unix time."""

    note: Note
    until: float


class Noted:
    """Implements repeats.Notes. What is in hand here ends here: there is nothing that a kill could leave open."""

    in_transactions = False

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        """By message id, in the order of their last change."""

    async def find(self, message_id: str) -> Note | None:
        return self.known(message_id)

    async def begin(self, receipt: Receipt) -> None:
        self.note(receipt, State.BEGUN)

    async def end(self, receipt: Receipt, state: State | None) -> None:
        self.note(receipt, state)

    def known(self, message_id: str) -> Note | None:
        """What is known of a message."""
        found = self.kept.get(message_id)
        return found.note if found is not None and found.until > time.time() else None

    def note(self, receipt: Receipt, state: State | None) -> Kept | None:
        """Note how far a message came; None forgets it."""
        self.kept.pop(receipt.message_id, None)
        if state is None:
            return None
        kept = Kept(Note(receipt.digest, state, in_hand=state is State.BEGUN), receipt.until(state))
        self.put(receipt.message_id, kept)
        return kept

    def put(self, message_id: str, kept: Kept) -> None:
        """Add a note, and forget what is too much."""
        self.kept[message_id] = kept
        if len(self.kept) > MOST:
            done = (name for name, each in self.kept.items() if each.note.state == State.DONE)
            del self.kept[next(done, next(iter(self.kept)))]
