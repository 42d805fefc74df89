"""A program for each stream and for each room: this folder's ``program.py``, which is found again by its arguments."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from house.objects.stream import place
from house.playing import Engine
from house.sound.pulse.modules import OURS, Line, Program, Sink, sink_of
from house.sound.wanted import Feed, Room

PYTHON = "/usr/bin/python3"
"""The system's: GStreamer's bindings are a package of the system's, and for no other Python."""
PROGRAM = Path(__file__).with_name("program.py")
FIRST_CLOCK, FIRST_PACKETS = 10_000, 20_000
LATENCY_MS = 400
"""Between what a stream is fed and what its rooms play: half of it is in the hands of their PulseAudio by then."""
EARLIEST_MS = 150
"""So much earlier than the others a room can be: the rest is for its network and its card."""
PLAYER = f"{Engine.GST_NETCLOCK}."
"""Begins the names of players."""
MARKS = f"--name={OURS}", f"--name={PLAYER}"
"""Begin the argument by which senders and players are known to be ours."""
ENDS = {
    3: "its stream's host is not known here by its name",
    4: "another program has the UDP port of its stream's clock",
    5: "the network does not let it listen to its stream's group",
    6: "PulseAudio refuses it, or has ended",
}
"""What ``program.py`` says by its exit codes."""


def clock_port(feed: Feed) -> int:
    """Where its host tells the time (UDP)."""
    return FIRST_CLOCK + place(IPv4Address(feed.group))


def packet_port(feed: Feed) -> int:
    """Where it is sent to in its group (UDP), beside what ``pulse-rtp`` sends there."""
    return FIRST_PACKETS + place(IPv4Address(feed.group))


class NetclockLines:
    """See ``Carrier``. ``program`` is what they run."""

    engine = Engine.GST_NETCLOCK
    by_host_clock = True

    def __init__(self, program: Path) -> None:
        self._run = PYTHON, "-I", str(program)

    def sender(self, feed: Feed) -> Line:
        return Program(
            (*self._run, "send", f"--name={sink_of(feed)}", f"--device={sink_of(feed)}.monitor", *_address(feed))
        )

    def receiver(self, room: Room, sink: Sink, feed: Feed, server: str) -> Line:
        name = f"{PLAYER}{room.name}.{server}"  # what begins with ``house.`` are players of files and radios
        return Program(
            (
                *self._run, "play", f"--name={name}", f"--device={sink.name}", f"--host={feed.host}", *_address(feed),
                f"--latency={LATENCY_MS}", f"--offset={max(room.offset_ms, -EARLIEST_MS)}",
            )
        )  # fmt: skip

    def owns(self, line: Line) -> bool:
        """Wherever the program was: an upgrade may have moved it."""
        if not isinstance(line, Program) or line.arguments[:1] != (PYTHON,):
            return False
        return any(argument.startswith(MARKS) for argument in line.arguments)


def _address(feed: Feed) -> list[str]:
    return [f"--group={feed.group}", f"--port={packet_port(feed)}", f"--clock={clock_port(feed)}"]
