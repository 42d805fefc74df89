"""How soon a room plays what it is patched to, and plays again when its engine was killed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

from house.playing import Playing
from tests.sound.lab import tunes
from tests.sound.lab.cards import Card
from tests.sound.lab.studio import ENGINES, TUNES, studio

ENGINE = "pulse-rtp"
ROOM, OTHERS = "kitchen", {"office": "news", "bedroom": None}
"""One room goes from stream to stream, and what the others hear all the while must stay as it is."""
STEP = tunes.RATE // 20
"""Every 50 ms of a recording it is asked what is heard."""


async def measure(folder: Path, switches: int, kills: int, pipe_bytes: int) -> dict[str, Any]:
    """Switch a room from stream to stream, and kill its engine, that often."""
    async with studio(folder, ENGINES[ENGINE], pipe_bytes=pipe_bytes) as music:
        await music.reset()
        await music.apply()
        await music.patch(**{ROOM: "news"}, **OTHERS)  # the house stands before it is measured
        await music.hear(**{ROOM: "news"}, **OTHERS)
        began = {room: music.cards[room].now for room in OTHERS}
        soon, wrong, tune = list[float](), 0, "radio"
        for number in range(switches):
            tune = ("radio", "news")[number % 2]
            asked = time.monotonic()
            await music.patch(**{ROOM: tune})
            await asyncio.sleep(2.5)
            heard = _first(music.cards[ROOM], tune, asked)
            wrong += heard is None or _strays(music.cards[ROOM], heard, tune)
            soon += [] if heard is None else [heard - asked]
        wrong += sum(
            _strays(music.cards[room], music.cards[room].time(began[room]), tune) for room, tune in OTHERS.items()
        )
        again = list[float]()
        for _ in range(kills):
            killed, first = time.monotonic(), music.cards[ROOM].now
            await music.kill(ROOM)
            await music.tend()
            await music.stands(ROOM, Playing.PLAYING)
            await music.hear(**{ROOM: tune})
            again.append(_end_of_silence(music.cards[ROOM], first) - killed)
        return {
            "patch_to_sound_s": median(soon) if soon else None, "patch_to_sound_max_s": max(soon, default=None),
            "switches": switches, "wrong_rooms": wrong,
            "restart_s": max(again, default=None), "kills": kills,
        }  # fmt: skip


def _end_of_silence(card: Card, start: int) -> float:
    """When the last silence from there on was over; of none, when it began."""
    last, length = max(tunes.gaps(card.played(start), 50), default=(0, 0))
    return card.time(start + last + length)


def _strays(card: Card, since: float, tune: str | None) -> bool:
    """Whether it has played something else since then, in whichever half a second, or nothing."""
    start = max(0, round((since - card.began) * tunes.RATE))
    played, wanted = card.played(start), {tune} if tune else set[str]()
    windows = [played[first : first + tunes.WINDOW] for first in range(0, len(played) - tunes.WINDOW, tunes.WINDOW)]
    return any(tunes.heard(window, TUNES) != wanted for window in windows)


def _first(card: Card, tune: str, after: float) -> float | None:
    """When the room began to play a tune, after that moment: the first of its windows of 100 ms that has it."""
    start = max(0, round((after - card.began) * tunes.RATE))
    played = card.played(start)
    for first in range(0, len(played) - 2 * STEP, STEP):
        window = played[first : first + 2 * STEP]
        if tunes.match(window, tune).likeness > 0.7:
            return card.time(start + first)
    return None
