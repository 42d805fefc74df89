from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.rpc.world import FAILURES, Fleet


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """A fleet on a bus of its own."""
    fleet = Fleet(f"memory:{uuid4().hex}")
    yield fleet
    await fleet.stop()
    FAILURES.clear()
