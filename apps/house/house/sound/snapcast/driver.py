"""The driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources
from house.sound.snapcast.lines import CLIENT, SERVER, SnapcastLines

PACKAGES = {SERVER: "snapserver", CLIENT: "snapclient"}


class Snapcast(PulseDriver):
    """See ``Driver``; ``start`` and ``address`` are PulseAudio's. Servers keep what they know of their clients in
    ``folder``. Programs are ours, where ``programs`` does not say whose."""

    def __init__(
        self,
        start: Sequence[str],
        address: str | None = None,
        sources: Sources | None = None,
        folder: Path | None = None,
        programs: Programs | None = None,
    ) -> None:
        super().__init__(
            SnapcastLines(folder or Path.home() / ".config/snapserver"),
            Server(start, address),
            sources or Sources(address),
            programs or Programs(PACKAGES, address),
        )
