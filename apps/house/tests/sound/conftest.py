"""One studio, or one house, for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sound.lab.house import AGENTS, House
from tests.sound.lab.house import house as house_of
from tests.sound.lab.studio import ENGINES, ROOMS, STATION, Studio, studio


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def music(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    """With each of the engines."""
    async with studio(tmp_path_factory.mktemp("studio"), ENGINES[request.param]) as built:
        yield built


@pytest_asyncio.fixture(loop_scope="module")
async def house(music: Studio) -> Studio:
    """All is as it is at first: streams are sent, and no room hears one."""
    await music.reset()
    await music.apply()
    await music.hear(**dict.fromkeys(ROOMS))
    return music


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> AsyncIterator[House]:
    """A house with a station and two rooms, which know each other, and two streams into which tunes are played."""
    folder = tmp_path_factory.mktemp("house")
    async with (
        studio(folder, ENGINES["pulse-rtp"]) as music,
        house_of(music, folder, empty_database, AGENTS) as all_,
    ):
        for name in ("radio", "news"):
            await all_.tell("sound", "stream", name, "--host", STATION)
        await music.reset()
        yield all_
