"""How loud streams are: PulseAudio tells the peaks of what it plays."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass

from house.sound.pulse.server import Server

SILENCE_DB = -70.0
"""Below that nobody hears anything."""


@dataclass(frozen=True)
class Place:
    """Where it is measured: a source, or one input of the sink whose monitor this is."""

    source: str
    input: int | None = None


class Levels:
    """Those that are listened to, by name."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listening: dict[str, tuple[Place, asyncio.Task[None]]] = {}
        self._peaks: dict[str, float] = {}

    def listen(self, wanted: Mapping[str, Place]) -> None:
        """To these from now on, and to no others."""
        for name, (place, task) in list(self._listening.items()):
            if wanted.get(name) != place or task.done():
                task.cancel()
                del self._listening[name]
        for name, place in wanted.items():
            if name not in self._listening:
                self._peaks[name] = 0.0
                self._listening[name] = place, asyncio.create_task(self._listen(name, place), name=f"level of {name}")

    async def _listen(self, name: str, place: Place) -> None:
        async for peak in self._server.peaks(place.source, place.input):
            self._peaks[name] = max(self._peaks[name], abs(peak))

    def place(self, name: str) -> Place | None:
        """Where one is listened to."""
        place, _ = self._listening.get(name, (None, None))
        return place

    def take(self, name: str) -> float | None:
        """The highest since it was taken last, in dB below full scale; None where that was silence."""
        peak = self._peaks.get(name, 0.0)
        self._peaks[name] = 0.0
        level = 20 * math.log10(peak) if peak > 0 else -math.inf
        return level if level > SILENCE_DB else None

    def close(self) -> None:
        """Listen no more."""
        self.listen({})
