"""One studio for all tests of a module, each of which begins with silence in every room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.sound.lab.studio import ENGINES, ROOMS, Studio, studio


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
