"""A snapserver for each stream, and a snapclient for each room.

Debian's snapserver takes no stream while it runs (it has no ``Stream.AddStream``, CVE-2023-36177), and a new one must
not interrupt the others; so each has a server of its own, at a port of its own, and a room is patched by its client's
going to another one. How loud a room is PulseAudio knows. So nobody needs Snapcast's control ports, at which everybody
may command: they are closed.
"""

from __future__ import annotations

import shutil
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import quote

from house.objects.stream import place
from house.playing import Engine
from house.sound.pulse.modules import OURS, Line, Program, Sink, sink_of, source_of
from house.sound.snapcast import shortages
from house.sound.wanted import Feed, Room

SERVER, CLIENT = "snapserver", "snapclient"
FIRST_PORT = 17_040
BUFFER_MS = 1000
"""Between what a stream is fed and what its rooms play: Snapcast's own measure, with which it bears a bad Wi-Fi."""
EARLIEST_MS = 800
"""So much earlier than the others a room can be: the rest is for its network and its card."""
READ_MS = 20
"""How much of a stream is handed over at once."""


def port(feed: Feed) -> int:
    """Where its server is."""
    return FIRST_PORT + place(IPv4Address(feed.group))


class SnapcastLines:
    """See ``Carrier``. In ``folder`` servers keep what they know of their clients, and those write their logs."""

    engine = Engine.SNAPCAST
    by_host_clock = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recorder = shutil.which("pacat") or "/usr/bin/pacat"

    def sender(self, feed: Feed) -> Line:
        name = sink_of(feed)
        read = ["--record", "--raw", "--format=s16le", "--rate=48000", "--channels=2", f"--latency-msec={READ_MS}"]
        parameters = quote(" ".join([*read, f"--client-name={name}", f"--device={source_of(feed)}"]), safe="")
        source = f"process://{self._recorder}?name={name}&sampleformat=48000:16:2&codec=flac&params={parameters}"
        return Program(
            (
                SERVER, "--config=/dev/null", f"--server.datadir={self._folder / name}", "--http.enabled=false",
                "--tcp.enabled=false", f"--stream.port={port(feed)}", f"--stream.buffer={BUFFER_MS}",
                f"--stream.source={source}",
            )
        )  # fmt: skip

    def receiver(self, room: Room, sink: Sink, feed: Feed, server: str) -> Line:
        return Program(
            (
                CLIENT, f"--host={feed.host}", f"--port={port(feed)}", f"--hostID={OURS}{room.name}.{server}",
                "--player=pulse", f"--soundcard={sink.name}", "--mixer=none",
                f"--latency={min(-room.offset_ms, EARLIEST_MS)}",
                f"--logsink=file:{self.log(room.name)}", f"--logfilter={shortages.FILTER}",
            )
        )  # fmt: skip

    def log(self, room: str) -> Path:
        """Where its client writes."""
        return self._folder / f"{OURS}{room}.log"

    def owns(self, line: Line) -> bool:
        marks = {SERVER: f"?name={OURS}", CLIENT: f"--hostID={OURS}"}
        if not isinstance(line, Program) or not line.arguments or line.arguments[0] not in marks:
            return False
        return any(marks[line.arguments[0]] in argument for argument in line.arguments)
