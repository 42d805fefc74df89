"""Plays files and radios into streams: ffmpeg does, and plays on without us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from house.sound.errors import EngineError, NoEngine
from house.sound.pulse import detached
from house.sound.wanted import Feed

FFMPEG = "ffmpeg"
KINDS = ("file", "radio")
BEGIN_SECONDS = 10.0
"""After so long, one that has ended is tried again."""
OPEN_SECONDS = 60.0
"""So long it may take to open its source, as when a radio answers late."""


def label(feed: Feed) -> str:
    """What PulseAudio knows it by: another one for each source."""
    return f"house.{feed.name}.{zlib.crc32(feed.source.encode()):08x}"


def command(feed: Feed) -> list[str]:
    """A file is played over and over."""
    again = ["-stream_loop", "-1"] if feed.kind == "file" else []
    into = ["-ac", "2", "-ar", "48000", "-name", label(feed), "-device", f"house.{feed.name}", "-f", "pulse", feed.name]
    return [FFMPEG, "-nostdin", "-loglevel", "error", *again, "-i", feed.source, *into]


def end(label: str, process: int) -> None:
    """End a player. Raises EngineError where the process is none of its label, for it is only what a client has told
    PulseAudio, and where it cannot be ended."""
    try:
        arguments = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        if label.encode() not in arguments:
            raise EngineError(f"process {process} is none of ours")
        os.kill(process, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended meanwhile
    except OSError as wrong:
        raise EngineError(f"process {process}: {wrong}") from None


@dataclass(frozen=True)
class _Begun:
    """A player, when it was begun, and what it complains of."""

    label: str
    process: subprocess.Popen[bytes]
    at: float
    complaints: detached.Complaints


class Feeding:
    """The last one that was begun here for each stream. ``address`` is PulseAudio's, if that is not the user's own."""

    def __init__(self, address: str | None) -> None:
        self._environment = os.environ if address is None else {**os.environ, "PULSE_SERVER": address}
        self._begun: dict[str, _Begun] = {}

    def begins(self, feed: Feed) -> bool:
        """Whether it was begun lately, so that nothing of it need be there yet."""
        begun = self._of(feed)
        if begun is None:
            return False
        return time.monotonic() - begun.at < (OPEN_SECONDS if begun.process.poll() is None else BEGIN_SECONDS)

    async def begin(self, feed: Feed) -> None:
        """Play it, by a new process: one that has not come to it yet is ended, for it might be heard later, too. Raises
        NoEngine, and EngineError for a source that would be an option."""
        if shutil.which(FFMPEG) is None:
            raise NoEngine(FFMPEG, FFMPEG)
        if feed.source.startswith("-"):
            raise EngineError(f"received the source {feed.source!r}, expected a path or a URL")
        if (before := self._begun.get(feed.name)) is not None:
            before.process.kill()
        complaints = detached.Complaints()
        process = detached.start(command(feed), self._environment, complaints)
        self._begun[feed.name] = _Begun(label(feed), process, time.monotonic(), complaints)

    def failure(self, feed: Feed) -> str:
        """Why nothing of it is heard, where it has ended by itself."""
        begun = self._of(feed)
        if begun is None or begun.process.poll() is None:
            return ""
        why = begun.complaints.last.removeprefix(f"{feed.source}: ")
        return f"ffmpeg cannot play {feed.source}: {why or f'it has ended with exit code {begun.process.returncode}'}"

    def _of(self, feed: Feed) -> _Begun | None:
        """That of this source."""
        begun = self._begun.get(feed.name)
        return begun if begun is not None and begun.label == label(feed) else None
