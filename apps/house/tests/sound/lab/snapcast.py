"""Snapcast on the laboratory's hosts."""

from __future__ import annotations

from pathlib import Path

from house.sound.driver import Driver
from house.sound.pulse.programs import Programs
from house.sound.snapcast.driver import PACKAGES, Snapcast
from house.sound.snapcast.lines import CLIENT, SERVER
from house.sound.wanted import Feed
from tests.sound.lab import pulse
from tests.sound.lab.cards import Card
from tests.sound.lab.switch import Host


class SnapcastLab:
    """See ``EngineLab``."""

    def configure(self, host: Host, card: Card | None) -> None:
        pulse.configure(host, card)
        host.write("servers/README", "The driver may be another user's.\n")

    def driver(self, host: Host) -> Driver:
        programs = Programs(PACKAGES, run=host.as_user(), user=host.user)
        return Snapcast(pulse.start_command(host), pulse.address(host), folder=host.home / "servers", programs=programs)

    def programs(self, host: Host) -> tuple[str, ...]:
        return SERVER, CLIENT

    def playing(self, tune: Path, feed: Feed) -> list[str]:
        return pulse.playing(tune, feed)

    async def traces(self, host: Host) -> list[str]:
        return [*await pulse.traces(host), *map(str, [*host.processes(SERVER), *host.processes(CLIENT)])]
