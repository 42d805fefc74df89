"""Bursts: what is written to one socket in one turn of the loop goes out together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MOST = 6
"""So many messages go out together at most, so that the peer works on them while we work on the next ones: with all of
16 echoes in one burst, each side does nothing while the other works, and they take a tenth longer."""

HOLD_SECONDS = 0.001
"""So long a message waits for others of its turn at most, where the work between two of them is heavy. With a third of
it, 16 gets in flight cost both sides a tenth more CPU, since a socket is woken for each one or two of them."""


class Burst:
    """The messages that wait for the end of this turn of the loop. ``send`` is given all of them as one piece."""

    __slots__ = ("_held_since", "_loop", "_send", "_unsent")

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send, self._loop = send, asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._held_since = 0.0

    def add(self, message: bytes, *, at_once: bool = False) -> None:
        """Send it with all else of this turn: at its end, or sooner where that is much or takes long; or ``at_once``,
        behind what waits. Where nothing else is to be sent, to wait for it would cost one more turn of the loop."""
        self._unsent.append(message)
        if at_once or len(self._unsent) == MOST:
            self.end()
        elif len(self._unsent) == 1:
            self._held_since = self._loop.time()
            self._loop.call_soon(self.end)
        elif self._loop.time() - self._held_since > HOLD_SECONDS:
            self.end()

    def end(self) -> None:
        """Send what waits."""
        if self._unsent:
            together = b"".join(self._unsent)
            self._unsent.clear()
            self._send(together)
