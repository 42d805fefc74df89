"""How much later a room plays what programs play into a stream."""

from __future__ import annotations

import asyncio
import subprocess
import time

import numpy as np

from tests.sound.lab import pulse, tunes
from tests.sound.lab.cards import Card
from tests.sound.lab.studio import STATION, Studio

LATENCY_MS = 10
"""So much the recorder may have in hand: by that much the figure may be too low."""
WINDOW = tunes.RATE // 5
"""Short, so that a tune is known also where PulseAudio plays it 0.2 % too fast or too slow: it does for minutes."""
_BYTES = 2
_PERIOD = tunes.RATE * tunes.SECONDS


async def end_to_end_ms(music: Studio, room: str, tune: str) -> float | None:
    """From when the station's sound server gives out a sample of a stream until the room's sound card plays it; None
    where one of them does not have the stream's tune just now."""
    process = await asyncio.create_subprocess_exec(
        "parec", f"--server={pulse.address(music.hosts[STATION])}", f"--device=house.{tune}.monitor", "--raw",
        f"--rate={tunes.RATE}", "--channels=1", "--format=s16le", f"--latency-msec={LATENCY_MS}",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        sent, given_out = b"", 0.0
        while len(sent) < 2 * tunes.RATE * _BYTES:  # a recorder that begins has more in hand than it should
            sent += await process.stdout.read(tunes.RATE)
            given_out = time.monotonic()
    finally:
        process.kill()
        await process.wait()
    whole = len(sent) // _BYTES * _BYTES
    window = np.frombuffer(sent[whole - WINDOW * _BYTES : whole], np.int16)
    return _between(window, given_out - WINDOW / tunes.RATE, music.cards[room], tune)


def _between(sent: tunes.Samples, at: float, card: Card, tune: str) -> float | None:
    """From the first sample of ``sent``, given out at that time, until the card plays the same one."""
    first = max(0, card.now - WINDOW)
    there, here = tunes.match(sent, tune), tunes.match(card.played(first), tune)
    if min(there.likeness, here.likeness) < tunes.LIKE:
        return None
    played = card.time(first) + (there.position - here.position) % _PERIOD / tunes.RATE
    return (played - at) % tunes.SECONDS * 1000
