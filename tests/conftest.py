"""What tests of every package may use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from midflight import telemetry
from midflight.transports.embedded import EmbeddedBroker


@pytest.fixture(autouse=True)
def _nothing_said() -> None:
    """What one test has seen logged, the next one sees again."""
    telemetry.bad_input.forget()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A running NATS broker that all tests share; each takes a project name of its own, so they do not meet."""
    broker = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.stop())
