"""The driver."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE

from house.sound.errors import NoEngine, WrongEngine
from house.sound.gst_netclock.lines import PROGRAM, PYTHON, NetclockLines
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources

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
            programs or Programs(PACKAGES, address),
        )
        self._is_whole = False

    async def ready(self) -> bool:
        if not self._is_whole:
            check_told(await _told())
            self._is_whole = True
        return await super().ready()


async def _told() -> str | None:
    """What the program says of the GStreamer that is here; None where it cannot even begin."""
    if not os.access(PYTHON, os.X_OK):
        raise NoEngine(PYTHON, "python3")
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-I", str(PROGRAM), "check", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    said, _ = await process.communicate()
    return None if process.returncode else said.decode()


def check_told(said: str | None) -> None:
    """Raises NoEngine and WrongEngine where that GStreamer cannot do."""
    if said is None:
        raise NoEngine(f"GStreamer for {PYTHON}", BINDINGS)
    version, *missing = said.split()
    if _numbers(version) < _numbers(OLDEST):
        raise WrongEngine(f"GStreamer {version}", f"GStreamer {OLDEST} or newer")
    if missing:
        raise NoEngine(f"element {' or '.join(missing)} of GStreamer", ELEMENTS)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
