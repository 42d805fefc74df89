"""GStreamer's net clock on the laboratory's hosts."""

from __future__ import annotations

import shutil
from pathlib import Path

from house.sound.driver import Driver
from house.sound.gst_netclock.driver import PACKAGES, GstNetclock
from house.sound.gst_netclock.lines import ENDS, PROGRAM, PYTHON
from house.sound.pulse.programs import Programs
from house.sound.wanted import Feed
from tests.sound.lab import pulse
from tests.sound.lab.cards import Card
from tests.sound.lab.switch import Host


class GstNetclockLab:
    """See ``EngineLab``."""

    def configure(self, host: Host, card: Card | None) -> None:
        pulse.configure(host, card)
        shutil.copy(PROGRAM, _program(host))  # where an ordinary user can read it

    def driver(self, host: Host) -> Driver:
        programs = Programs(PACKAGES, run=host.as_user(), user=host.user, ends=ENDS)
        return GstNetclock(pulse.start_command(host), pulse.address(host), program=_program(host), programs=programs)

    def programs(self, host: Host) -> tuple[str, ...]:
        return (Path(PYTHON).name,)

    def playing(self, tune: Path, feed: Feed) -> list[str]:
        return pulse.playing(tune, feed)

    async def traces(self, host: Host) -> list[str]:
        return [*await pulse.traces(host), *map(str, host.processes(Path(PYTHON).name))]


def _program(host: Host) -> Path:
    return host.home / "netclock.py"
