"""The rest of the house, as a sleeper meets it: a watcher that answers or does not, a fleet that hears or is deaf."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from midflight import Context, NotDelivered


class Guard:
    """The port to the other services, behind which there are one watcher and an agent of sound; and the membership of
    the sleeper."""

    def __init__(self) -> None:
        self.told: list[str] = []
        """What the watcher was told, and what the fleet was, in its order."""
        self.sound_told: list[tuple[str | None, bool, str]] = []
        """Which agent of sound was told what, and what was the last that the others had been told by then."""
        self.has_sound = True
        self.refuses: Exception | None = None
        self.deaf = False

    async def call(
        self,
        endpoint: Any,
        host: str | None,
        context: Context,
        arguments: Mapping[str, Any],
        timeout: float | None = None,
    ) -> Any:
        if self.refuses is not None:
            raise self.refuses
        if endpoint.__name__ == "sleeps":
            self.sound_told.append((host, arguments["on"], self.told[-1]))
            if not self.has_sound:
                raise NotDelivered(what="sound.sleeps", reason="nobody listened")
            return
        self.told.append(endpoint.__name__)

    @contextlib.asynccontextmanager
    async def asleep(self) -> AsyncIterator[None]:
        if self.deaf:
            raise NotDelivered(what="conductor.beat", reason="no conductor answers, so nobody would know")
        self.told.append("asleep")
        try:
            yield
        finally:
            self.told.append("awake")
