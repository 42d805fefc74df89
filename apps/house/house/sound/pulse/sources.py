"""Where the streams of a host come from: sinks that programs play into, and players of files and radios. All engines of
the host send the same ones, so none of them takes away what another one needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from house.playing import Engine
from house.sound.pulse.feeding import Feeding
from house.sound.pulse.modules import Carrier, Need
from house.sound.wanted import Feed


class Sources:
    """Those of one host. ``lock`` is held from looking at what there is until all is done: else two engines would both
    make what neither has seen."""

    def __init__(self, address: str | None = None) -> None:
        self.feeding = Feeding(address)
        self.lock = asyncio.Lock()
        self._needs: dict[Engine, list[Need]] = {}

    def need(self, carrier: Carrier, feeds: Sequence[Feed]) -> None:
        """An engine has these from now on."""
        self._needs[carrier.engine] = [Need(carrier, feed) for feed in feeds]

    @property
    def needs(self) -> list[Need]:
        """Those of all engines."""
        return [need for needs in self._needs.values() for need in needs]
