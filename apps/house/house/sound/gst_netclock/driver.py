"""The driver."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE

from house.sound.errors import EngineDead, EngineError, NoEngine, WrongEngine
from house.sound.gst_netclock.lines import ENDS, PROGRAM, PYTHON, NetclockLines
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources
from house.sound.wanted import Wanted

BINDINGS = "python3-gi gir1.2-gstreamer-1.0"
ELEMENTS = "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-pulseaudio"
PACKAGES = {PYTHON: "python3"}
OLDEST = "1.22"
"""Older ones were not tried."""
REFUSED_SECONDS = 30.0
"""So long a GStreamer that cannot do is not asked again."""
ANSWER_SECONDS = 60.0
"""So long it may take to say what it is: the first time it looks at all of its plugins."""


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
        self._is_whole = False
        self._refusal: tuple[float, EngineError] | None = None

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        if wanted.rooms or wanted.feeds:  # what plays can be ended without it
            await self._check()
        return await super().apply(wanted, rehearse=rehearse)

    async def _check(self) -> None:
        """Raises NoEngine, WrongEngine and EngineDead where this host's GStreamer cannot do."""
        if self._is_whole:
            return
        if self._refusal is not None and time.monotonic() - self._refusal[0] < REFUSED_SECONDS:
            raise self._refusal[1].with_traceback(None)
        try:
            check_told(await _told())
        except EngineError as wrong:
            self._refusal = time.monotonic(), wrong
            raise
        self._is_whole = True


async def _told() -> str | None:
    """What the program says of the GStreamer that is here; None where it cannot even begin. Raises NoEngine and
    EngineDead."""
    if not os.access(PYTHON, os.X_OK):
        raise NoEngine(PYTHON, "python3")
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-I", str(PROGRAM), "check", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise EngineDead("GStreamer", f"it has not said what it is for {ANSWER_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
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
