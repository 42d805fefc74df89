"""What goes on in a fleet while things happen to its members: one call after another, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from midflight.errors import NotDelivered, Unknown


class Traffic:
    """Does ``work`` again and again until it is stopped, or fails. What a kill may have cost is no failure: work during
    which somebody was killed may raise NotDelivered or Unknown."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work, self._over = work, threading.Event()
        self._kills, self._killing = 0, False
        self.done = 0
        """How often it was done, and did not fail."""
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._go_on, name="traffic", daemon=True)
        self._thread.start()

    @contextmanager
    def kill(self) -> Iterator[None]:
        """Somebody is killed in the block, at the end of which its successor works."""
        self._killing, self._kills = True, self._kills + 1
        try:
            yield
        finally:
            self._killing = False

    def stop(self) -> None:
        """Let the last work end. Stopping it twice does no harm."""
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.is_set():
            kills, killing = self._kills, self._killing
            try:
                self._work()
                self.done += 1
            except (NotDelivered, Unknown) as lost:
                if not killing and kills == self._kills:
                    self.failure = lost
                    return
            except BaseException as wrong:  # noqa: BLE001  # a hook's is for the test to show, pytest.fail's as well
                self.failure = wrong
                return
