"""What rooms hear while all services of the house are replaced, one after the other."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

from house.names import ALL
from house.objects.patch_bay import PatchBay
from house.project import project
from midflight.db.schema.runner import SchemaRunner
from tests.sound.lab import tunes
from tests.sound.lab.house import AGENTS, house
from tests.sound.lab.studio import ENGINES, STATION, studio


async def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Replace the conductor and each agent, with a pause of so many seconds after each."""
    empty = folder / "empty.db"
    SchemaRunner(f"sqlite:///{empty}", project.schema, project.tables, "this release").expand(project.migrations)
    async with studio(folder, ENGINES["pulse-rtp"]) as music, house(music, folder, empty, AGENTS) as home:
        await home.tell("sound", "stream", "radio", "--host", STATION)
        await music.reset()
        await PatchBay.patch(home.context, ALL, "radio")
        rooms = AGENTS[1:]
        await music.hear(**dict.fromkeys(rooms, "radio"))
        await asyncio.sleep(seconds)
        began = {room: music.cards[room].now for room in rooms}
        for name in ("conductor", *AGENTS):
            await home.kill(name, how=signal.SIGTERM)
            await home.start(name)
            await asyncio.sleep(seconds)
        gaps = {room: tunes.gaps(music.cards[room].played(began[room])) for room in rooms}
        heard = sum(music.cards[room].now - began[room] for room in rooms) / tunes.RATE
        return {"roll_gaps": sum(map(len, gaps.values())), "roll_heard_s": heard}
