"""The driver."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from house.sound.errors import NoEngine, WrongEngine
from house.sound.gst_netclock.lines import ENDS, PROGRAM, PYTHON, NetclockLines
from house.sound.pulse import fitness
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.fitness import Fitness
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources
from house.sound.wanted import Wanted

BINDINGS = "python3-gi gir1.2-gstreamer-1.0"
ELEMENTS = "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-pulseaudio"
PACKAGES = {PYTHON: "python3"}
OLDEST = "1.22"
"""Older ones were not tried."""


class GstNetclock(PulseDriver):
    """See ``Driver``; ``start`` and ``address`` are PulseAudio's. Programs are ours, where ``programs`` does not say
    whose, and run what is at ``program``."""

    def __init__(
        self,
        start: Sequence[str],
        address: str | None = None,
        sources: Sources | None = None,
        program: Path = PROGRAM,
        programs: Programs | None = None,
    ) -> None:
        super().__init__(
            NetclockLines(program),
            Server(start, address),
            sources or Sources(address),
            programs or Programs(PACKAGES, address, ends=ENDS),
        )
        self._fitness = Fitness(_ask)

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        if wanted.rooms or wanted.feeds:  # what plays can be ended without it
            await self._fitness.check()
        return await super().apply(wanted, rehearse=rehearse)


async def _ask() -> None:
    """Raises NoEngine, WrongEngine and EngineDead where this host's GStreamer cannot do."""
    if not os.access(PYTHON, os.X_OK):
        raise NoEngine(PYTHON, "python3")
    check_told(await fitness.told("GStreamer", PYTHON, "-I", str(PROGRAM), "check"))


def check_told(said: str | None) -> None:
    """What its program says of the GStreamer that is here, and None where it cannot even begin. Raises NoEngine and
    WrongEngine where that cannot do."""
    if said is None:
        raise NoEngine(f"GStreamer for {PYTHON}", BINDINGS)
    version, *missing = said.split()
    if fitness.numbers(version) < fitness.numbers(OLDEST):
        raise WrongEngine(f"GStreamer {version}", f"GStreamer {OLDEST} or newer")
    if missing:
        raise NoEngine(f"element {' or '.join(missing)} of GStreamer", ELEMENTS)
