"""Sound cards: pipes that one process drains, each at the pace of a crystal of its own, and records.

What a card does not get in time it plays as silence, as a real one does; so sample k of a recording was played at
``began + k / (RATE · (1 + ppm / 1e6))``, in seconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.sound.lab.tunes import RATE, WINDOW, Samples

HERE = Path(__file__).parents[3]
_FRAME = 4
BLOCK = RATE // 100
"""Frames that are taken at once: how exactly a sound server can know what has been played."""
PIPE_BYTES = 32_768
"""170 ms: so long may the machine forget an engine before that is heard."""
_F_SETPIPE_SZ = 1031


@dataclass
class Card:
    """One of them, as tests see it."""

    name: str
    pipe: Path
    recording: Path
    ppm: float = 0.0
    began: float = 0.0

    def played(self, start: int = 0, count: int = -1) -> Samples:
        """What it has played, from a sample on."""
        return np.fromfile(self.recording, np.int16, count, offset=start * 2)

    @property
    def now(self) -> int:
        """How many samples it has played so far."""
        return self.recording.stat().st_size // 2

    def latest(self) -> Samples:
        """The last half a second."""
        return self.played(max(0, self.now - WINDOW))

    def time(self, sample: float) -> float:
        """When that one was played."""
        return self.began + sample / (RATE * (1 + self.ppm / 1e6))

    @property
    def lateness(self) -> Path:
        """How late each block was taken, in seconds, as 32-bit floats: the machine's own noise."""
        return self.recording.with_suffix(".late")


@asynccontextmanager
async def cards(built: Sequence[Card], pipe_bytes: int = PIPE_BYTES, block: int = BLOCK) -> AsyncIterator[None]:
    """They play from here on; their pipes are there, and writable by everyone."""
    for card in built:
        os.mkfifo(card.pipe)
        card.pipe.chmod(0o666)
    given = [f"{card.pipe}:{card.recording}:{card.ppm}" for card in built]
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", "-20", sys.executable, "-m", "tests.sound.lab.cards", str(pipe_bytes), str(block), *given,
        cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        began = float(await process.stdout.readline())
        for card in built:
            card.began = began
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class _Drained:
    """A card, in the process that plays it."""

    def __init__(self, given: str, pipe_bytes: int, block: int) -> None:
        pipe, recording, ppm = given.split(":")
        self.pipe = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # so that it does not end with an engine
        fcntl.fcntl(self.pipe, _F_SETPIPE_SZ, pipe_bytes)
        self.record = open(recording, "wb", buffering=0)  # noqa: SIM115  # for as long as the card plays
        self.late = open(Path(recording).with_suffix(".late"), "wb", buffering=0)  # noqa: SIM115
        self.bytes = block * _FRAME
        self.seconds = block / (RATE * (1 + float(ppm) / 1e6))
        self.blocks = 0

    def take(self, now: float) -> float:
        """All blocks that are due; when the next one is."""
        while (due := (self.blocks + 1) * self.seconds) <= now:
            self.blocks += 1
            try:
                got = os.read(self.pipe, self.bytes)
            except BlockingIOError:
                got = b""
            frames = np.frombuffer(got.ljust(self.bytes, b"\0"), np.int16)
            self.record.write(frames[::2].tobytes())
            self.late.write(np.float32(now - due).tobytes())
        return due


def _play(pipe_bytes: str, block: str, *given: str) -> None:
    drained = [_Drained(each, int(pipe_bytes), int(block)) for each in given]
    began = time.monotonic()
    sys.stdout.write(f"{began}\n")
    sys.stdout.flush()
    while True:
        now = time.monotonic() - began
        due = min(each.take(now) for each in drained)
        time.sleep(max(0.0, due - (time.monotonic() - began)))


if __name__ == "__main__":
    _play(*sys.argv[1:])
