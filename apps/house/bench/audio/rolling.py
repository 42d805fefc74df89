"""What rooms hear while all services of the house go from one release to the next, one after the other."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from house.names import ALL
from house.objects.patch_bay import PatchBay
from house.project import project
from midflight.db.schema.runner import SchemaRunner
from tests.rolling import trees
from tests.sound.lab import tunes
from tests.sound.lab.house import AGENTS, House, house
from tests.sound.lab.studio import ENGINES, STATION, Studio, studio

ROOMS = AGENTS[1:]


async def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Upgrade the conductor and each agent, with a pause of so many seconds after each. Raises AssertionError where
    they do not end as the next release."""
    empty = folder / "empty.db"
    SchemaRunner(f"sqlite:///{empty}", project.schema, project.tables, "alder").expand(project.migrations)
    alder = trees.present(folder / "alder")
    birch = trees.following(alder, folder / "birch")
    async with studio(folder, ENGINES["pulse-rtp"]) as music, house(music, folder, empty, AGENTS, alder) as home:
        await home.tell("sound", "stream", "radio", "--host", STATION)
        await music.reset()
        await PatchBay.patch(home.context, ALL, "radio")
        await music.hear(**dict.fromkeys(ROOMS, "radio"))
        await asyncio.sleep(seconds)
        return await _rolled(home, music, birch, seconds)


async def _rolled(home: House, music: Studio, birch: Path, seconds: float) -> dict[str, Any]:
    began = {room: music.cards[room].now for room in ROOMS}
    home.tree = birch
    await home.operate("release", "freeze", "birch")
    await home.operate("db", "expand")
    for name in ("conductor", *AGENTS):
        await home.kill(name, how=signal.SIGTERM)
        await home.start(name)
        await asyncio.sleep(seconds)
    members = json.loads(await home.operate("fleet", "list", "--json"))["members"]
    assert {each["release"] for each in members} == {"birch"}, members
    gaps = {room: tunes.gaps(music.cards[room].played(began[room])) for room in ROOMS}
    heard = sum(music.cards[room].now - began[room] for room in ROOMS) / tunes.RATE
    return {"roll_gaps": sum(map(len, gaps.values())), "roll_heard_s": heard, "rolled_members": len(members)}
