"""How far apart rooms play, by engine and by what is in the way: one factor at a time.

Every half a second a window of each room is looked for in the tune; where it is there, and when the room's card played
it, says how far that room is behind another one.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.audio import delay
from house.sound.keeper import LOOK_SECONDS
from tests.sound.lab import obstacles, tunes
from tests.sound.lab.cards import Card
from tests.sound.lab.studio import ENGINES, Studio, studio

ROOMS = ("kitchen", "office")
BLOCK = tunes.RATE // 500
"""Frames that a sound card takes at once: 2 ms; one on USB takes 1 ms. No engine can be closer than it knows what has
been played."""


@dataclass(frozen=True)
class Factor:
    """What is in the way: sound cards that are that much too fast, and too slow; packets that get lost, on their way to
    each room; a way to one of the rooms that takes so many milliseconds, now longer, now shorter; a room that joins
    when the others have played for a while. Rooms have played so many times as long before they are compared as
    the run says: ``settle``."""

    name: str
    ppm: float = 0.0
    loss: int = 0
    jitter_ms: tuple[float, float] | None = None
    joins_late: bool = False
    settle: int = 1


FACTORS = (
    Factor("0 ppm"), Factor("±20 ppm", ppm=20), Factor("±50 ppm", ppm=50), Factor("±100 ppm", ppm=100),
    Factor("1 % loss, ±20 ppm", ppm=20, loss=1), Factor("5 % loss, ±20 ppm", ppm=20, loss=5),
    Factor("2-22 ms jitter in one room, ±20 ppm", ppm=20, jitter_ms=(2, 22)),
    Factor("a late joiner, ±20 ppm", ppm=20, joins_late=True),
    Factor("±20 ppm, after a minute", ppm=20, settle=4),
)  # fmt: skip


PROMISED = FACTORS[-1]
"""The factor of the figure that is promised: measured several times, and for long. A card of 2 ms at once, of which
PulseAudio says each 1.5 s what it has played, is not known better than to a millisecond in the first half a minute."""


@dataclass(frozen=True)
class Run:
    """How long rooms have played before they are compared, and for how long they are; what a card has in hand."""

    settle: float
    seconds: float
    pipe_bytes: int


async def measure(folder: Path, runs: int, run: Run) -> list[dict[str, Any]]:
    """A row for each engine and factor; of the promised factor the median of that many runs."""
    rows = list[dict[str, Any]]()
    for engine in ENGINES:
        for factor in FACTORS:
            times = runs if factor is PROMISED else 1
            rows.append(_middle([await row(folder, engine, factor, run) for _ in range(times)]))
    return rows


async def row(folder: Path, engine: str, factor: Factor, run: Run) -> dict[str, Any]:
    """How far apart two rooms of that engine play. ``drift_ms`` is how much further they are so in the last tenth of
    the time than in the first."""
    ppm = {ROOMS[0]: factor.ppm, ROOMS[1]: -factor.ppm}
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
        built = studio(place, ENGINES[engine], ppm=ppm, pipe_bytes=run.pipe_bytes, block=BLOCK)
        music = await stack.enter_async_context(built)
        if factor.jitter_ms is not None:
            await stack.enter_async_context(obstacles.jitter(music.hosts[ROOMS[1]], *factor.jitter_ms))
        await music.reset()
        await music.apply()
        early, late = (ROOMS[:1], ROOMS[1:]) if factor.joins_late else (ROOMS, ())
        for room in (early, late):
            await music.patch(**dict.fromkeys(room, "radio"))
            await music.hear(**dict.fromkeys(room, "radio"))
            if room and not (factor.joins_late and room == late):  # of a late joiner the first seconds count
                await _play(music, run.settle * factor.settle)
        for room in ROOMS:
            stack.enter_context(obstacles.drops(music.hosts[room], obstacles.loses(factor.loss)))
        began = {room: music.cards[room].now for room in ROOMS}
        spent, received, since = _cpu(music), _received(music), time.monotonic()
        await _play(music, run.seconds)
        players = (time.monotonic() - since) * len(ROOMS)
        kbit, share = (_received(music) - received) * 8 / 1000 / players, (_cpu(music) - spent) / players
        behind = _behind(music.cards[ROOMS[0]], music.cards[ROOMS[1]], began[ROOMS[0]])
        apart, tenth = [abs(ms) for ms in behind], max(1, len(behind) // 10)
        gaps = sum(len(tunes.gaps(music.cards[room].played(began[room]))) for room in ROOMS)
        late_ms, latest_ms = _lateness(music.cards[ROOMS[0]], run.seconds)
        return {
            "engine": engine, "factor": factor.name, "seconds": run.seconds, "windows": len(apart),
            "sync_p50_ms": _percentile(apart, 50), "sync_p95_ms": _percentile(apart, 95),
            "sync_max_ms": _percentile(apart, 100),
            "drift_ms": abs(median(behind[-tenth:]) - median(behind[:tenth])) if behind else None,
            "end_to_end_ms": await delay.end_to_end_ms(music, ROOMS[0], "radio"),
            "gaps": gaps, "kbit_per_s": kbit, "cpu_share": share, "machine_late_p95_ms": late_ms,
            "machine_late_max_ms": latest_ms,
        }  # fmt: skip


async def _play(music: Studio, seconds: float) -> None:
    """For so long; engines that end are started again, as agents do."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(LOOK_SECONDS, left))
        await music.tend()


def _behind(one: Card, other: Card, start: int) -> list[float]:
    """How far the other one is behind, in milliseconds, window by window. Those in which one of them hardly plays the
    tune are left out: they are gaps, and counted as such."""
    period, found = tunes.RATE * tunes.SECONDS, list[float]()
    heard, there = one.played(), other.played()
    for first in range(start, len(heard) - tunes.WINDOW, tunes.WINDOW):
        then = round((one.time(first) - other.began) * tunes.RATE * (1 + other.ppm / 1e6))
        if then < 0 or then + tunes.WINDOW > len(there):
            continue
        a = tunes.match(heard[first : first + tunes.WINDOW], "radio")
        b = tunes.match(there[then : then + tunes.WINDOW], "radio")
        if min(a.likeness, b.likeness) > tunes.LIKE:
            behind = (b.position - a.position + period / 2) % period - period / 2
            found.append(behind * 1000 / tunes.RATE)
    return found


def _cpu(music: Studio) -> float:
    """Seconds of computing, of all that the rooms' users run."""
    ticks = 0
    for room in ROOMS:
        for process in music.hosts[room].processes():
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def _received(music: Studio) -> int:
    """Bytes that the rooms have got."""
    return sum(music.hosts[room].received() for room in ROOMS)


def _lateness(card: Card, seconds: float) -> tuple[float, float]:
    """How late the machine let the card take its blocks, in milliseconds: p95 and the longest."""
    late = np.fromfile(card.lateness, np.float32)[-int(seconds * tunes.RATE / BLOCK) :] * 1000
    return float(np.percentile(late, 95)), float(late.max())


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None


def best(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the promised factor, the row of the engine whose rooms are the least apart."""
    return min(
        (row for row in rows if row["factor"] == PROMISED.name),
        key=lambda row: math.inf if row["sync_p95_ms"] is None else row["sync_p95_ms"],
    )


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several runs of one row, the median of each figure."""
    return {key: _median([run[key] for run in runs]) for key in runs[0]}


def _median(values: list[Any]) -> Any:
    figures = [value for value in values if isinstance(value, int | float)]
    return median(figures) if figures else values[0]
