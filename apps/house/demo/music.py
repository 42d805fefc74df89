"""Music in every room: chapters of the story. See ``story``, which has their places."""

from __future__ import annotations

from demo.band import STATION, STREAMS
from demo.stage import Stage

SPEAKER = "cellar"
"""The machine that sleeps, and has a room's speaker."""


async def patching(stage: Stage) -> None:
    """The same tune in every room; the machine of one of them sleeps, and is woken for it"""
    band, cellar = stage.band, stage.machine(SPEAKER)
    rooms = [*band.cards]
    await cellar.down.wait()
    await patch(stage, "kitchen", "radio")
    await hears(stage, **{**dict.fromkeys(rooms), "kitchen": "radio"})
    await patch(stage, "all", "radio")
    await hears(stage, **dict.fromkeys(rooms, "radio"))
    await patch(stage, "kitchen", "news")
    await hears(stage, **{**dict.fromkeys(rooms, "radio"), "kitchen": "news"})
    await stage.command("house", "sound", "off", SPEAKER)
    await hears(stage, **{SPEAKER: None})
    await cellar.down.wait()
    stage.say(f"{SPEAKER} is needed no more, and sleeps")


async def patch(stage: Stage, target: str, stream: str) -> None:
    """What ``house sound patch`` says, and whom it wakes."""
    cellar = stage.machine(SPEAKER)
    stage.expected[SPEAKER] += cellar.asleep and target in (SPEAKER, "all")
    for line in (await stage.command("house", "sound", "patch", target, stream)).splitlines():
        stage.say(line)


async def hears(stage: Stage, **expected: str | None) -> None:
    """Say what rooms play, when that is what they should."""
    heard = await stage.band.hear(**expected)
    told = ", ".join(f"{' and '.join(sorted(heard[room])) or 'silence'} in {room}" for room in expected)
    stage.say(f"by the recordings of the rooms' sound cards: {told}")


async def tune_up(stage: Stage) -> None:
    """The station says what it has to be heard, and plays it."""
    for name in STREAMS:
        await stage.command("house", "sound", "stream", name, "--host", STATION)
    await stage.band.play()


async def replace_agents(stage: Stage) -> None:
    """One after the other, while their engines play on."""
    for name in stage.band.agents:
        await stage.band.replace(name, stage.tree)
        stage.say(f"sound on {name}: birch")
