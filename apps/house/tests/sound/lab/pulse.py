"""PulseAudio on the laboratory's hosts, which is the engine ``pulse-rtp``, and what other engines play on."""

from __future__ import annotations

from pathlib import Path

from house.sound.driver import Driver
from house.sound.pulse_rtp.driver import PulseRtp
from house.sound.wanted import Feed
from tests.lab.netns import inside
from tests.sound.lab.cards import HERE, Card
from tests.sound.lab.switch import Host

CARD = "card"
"""What PulseAudio calls a room's sound card."""
START = "test -d ~/.cache/gstreamer-1.0 || gst-inspect-1.0 > /dev/null; exec pulseaudio --start"
"""What starts it on a host, and leaves it running."""


def configure(host: Host, card: Card | None = None) -> None:
    """Write what its PulseAudio reads at its start. The tests, as another user, may speak to it, too."""
    shipped = (HERE / "contrib/pulse/daemon.conf").read_text()
    host.write(".config/pulse/daemon.conf", f"{shipped}log-target = newfile:{host.home}/pulse.log\nlog-level = info\n")
    lines = ["load-module module-native-protocol-unix auth-anonymous=1", "load-module module-suspend-on-idle timeout=1"]
    if card is not None:
        pipe = f"sink_name={CARD} file={card.pipe} rate=48000 channels=2 format=s16le"
        lines.append(f"load-module module-pipe-sink {pipe}")
    host.write(".config/pulse/default.pa", "\n".join(lines) + "\n")
    host.run_path.chmod(0o711)
    host.home.chmod(0o711)


def start_command(host: Host) -> list[str]:
    """The same, for whoever is not on the host."""
    return host.as_user("sh", "-c", START)


def address(host: Host) -> str:
    """Where it answers."""
    return f"unix:{host.run_path}/pulse/native"


def playing(tune: Path, feed: Feed) -> list[str]:
    """What plays a tune into a stream for ever, also into one that comes later or comes again."""
    player = f"pacat --raw --rate=48000 --format=s16le --channels=2 --device=house.{feed.name}"
    return ["sh", "-c", f"while :; do (while cat {tune}; do :; done) | {player}; sleep 0.1; done"]


async def traces(host: Host) -> list[str]:
    """What of the house is in it."""
    ours = ("house.", "rtp", "loopback")
    listed = (await host.run("pactl", "list", "short", "modules")).splitlines()
    return [line for line in listed if any(mark in line for mark in ours)]


class PulseRtpLab:
    """See ``EngineLab``."""

    def configure(self, host: Host, card: Card | None) -> None:
        configure(host, card)

    def driver(self, host: Host) -> Driver:
        with inside(host.namespace):  # for the socket that it announces streams by
            return PulseRtp(start_command(host), address(host))

    def programs(self, host: Host) -> tuple[str, ...]:
        return ("pulseaudio",)

    def playing(self, tune: Path, feed: Feed) -> list[str]:
        return playing(tune, feed)

    async def traces(self, host: Host) -> list[str]:
        return await traces(host)
