from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kills.bank import Bank


@pytest.fixture(params=["broker", "rabbit"])
def url(request: pytest.FixtureRequest) -> str:
    """Of each kind of broker."""
    return str(request.getfixturevalue(request.param).url)


@pytest.fixture
async def bank(url: str, tmp_path: Path) -> AsyncIterator[Bank]:
    """A fleet over a real broker, whose members are killed."""
    async with Bank.open(url, tmp_path) as bank:
        yield bank
