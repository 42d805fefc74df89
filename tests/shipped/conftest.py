"""What images and packages are tried with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from midflight.transports.embedded import EmbeddedBroker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker for their fleets."""
    broker = asyncio.run(EmbeddedBroker(tmp_path_factory.mktemp("broker")).start())
    yield broker
    broker.kill()
