"""The driver."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from house.sound.errors import NoEngine, WrongEngine
from house.sound.heard import RoomHeard
from house.sound.pulse import fitness
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.fitness import Fitness
from house.sound.pulse.modules import Program
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources
from house.sound.snapcast.lines import CLIENT, SERVER, SnapcastLines
from house.sound.snapcast.shortages import Shortages
from house.sound.wanted import Feed, Room, Wanted

PACKAGES = {SERVER: "snapserver", CLIENT: "snapclient"}
OLDEST = "0.26"
"""Older ones were not tried."""


class Snapcast(PulseDriver):
    """See ``Driver``; ``start`` and ``address`` are PulseAudio's. In ``folder`` servers keep what they know
    of their clients, and those write their logs. Programs are ours, where ``programs`` does not say whose."""

    def __init__(
        self,
        start: Sequence[str],
        address: str | None = None,
        sources: Sources | None = None,
        folder: Path | None = None,
        programs: Programs | None = None,
    ) -> None:
        self._folder = folder or Path.home() / ".config/snapserver"
        self._lines = SnapcastLines(self._folder)
        super().__init__(
            self._lines,
            Server(start, address),
            sources or Sources(address),
            programs or Programs(PACKAGES, address),
        )
        self._fitness = Fitness(_ask)
        self._shortages: dict[str, Shortages] = {}

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        if wanted.rooms or wanted.feeds:  # what plays can be ended by whatever is here
            await self._fitness.check()
            if not rehearse:
                with suppress(OSError):  # without it nobody is told of shortages
                    self._folder.mkdir(parents=True, exist_ok=True)
        return await super().apply(wanted, rehearse=rehearse)

    def measured(self, room: Room, feed: Feed, heard: RoomHeard) -> RoomHeard:
        if not isinstance(self._plan.receivers.get(room.name), Program):
            return heard  # it hears its own host
        shortages = self._shortages.setdefault(room.name, Shortages(self._lines.log(room.name)))
        return replace(heard, underruns=shortages.count())


async def _ask() -> None:
    """Raises NoEngine, WrongEngine and EngineDead where this host's Snapcast cannot do. A program that is not here is
    missed by what needs it: not every host with sound has rooms and streams."""
    for program in filter(shutil.which, PACKAGES):
        check_version(program, await fitness.told(program, program, "--version"))
    if shutil.which(CLIENT):
        check_players(await fitness.told(CLIENT, CLIENT, "--help"))


def check_version(program: str, said: str | None) -> None:
    """Raises WrongEngine for what is too old, or is another program of that name."""
    found = re.match(rf"{program} v([0-9]+\.[0-9]+)", said or "")
    if found is None or fitness.numbers(found[1]) < fitness.numbers(OLDEST):
        received = f"{program} {found[1]}" if found else f"{program} that does not say its version"
        raise WrongEngine(received, f"{program} {OLDEST} or newer")


def check_players(said: str | None) -> None:
    """Raises NoEngine for a client that was built without PulseAudio, which would wait for ever."""
    if not re.search(r"--player\b.*\bpulse\b", said or ""):
        raise NoEngine(f"{CLIENT} that plays by PulseAudio", PACKAGES[CLIENT])
