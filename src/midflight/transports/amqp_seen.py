"""What one listener remembers of the casts that it has taken."""

from __future__ import annotations

import time

REMEMBER_SECONDS = 120.0
REMEMBERED = 100_000
"""So many message ids at most, a few megabytes of them."""


class Seen:
    """The ids of the last two minutes, and whether the cast was done. The oldest are forgotten first."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._done: set[str] = set()

    def add(self, message_id: str) -> None:
        """Remember that it was taken."""
        self._since.pop(message_id, None)
        self._since[message_id] = time.monotonic()

    def add_done(self, message_id: str) -> None:
        """Remember that it has run, and must not run again."""
        self.add(message_id)
        self._done.add(message_id)

    def has(self, message_id: str) -> bool:
        """Whether it was taken."""
        self._forget()
        return message_id in self._since

    def has_done(self, message_id: str) -> bool:
        """Whether it has run."""
        return self.has(message_id) and message_id in self._done

    def _forget(self) -> None:
        too_old = time.monotonic() - REMEMBER_SECONDS
        while self._since and (len(self._since) > REMEMBERED or next(iter(self._since.values())) < too_old):
            oldest = next(iter(self._since))
            del self._since[oldest]
            self._done.discard(oldest)
