"""A machine made of files, and a logind on a bus of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from house.sleeper.logind import Logind
from tests.jumping import JumpingClock
from tests.sleeper.login1 import Login1, private_bus
from tests.sleeper.machine import FakeMachine


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine", JumpingClock())


@pytest.fixture(scope="session")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a D-Bus daemon that only these tests use, with the login manager of python3-dbusmock on it."""
    with private_bus(tmp_path_factory.mktemp("bus")) as address:
        yield address


@pytest.fixture
async def login1(bus: str) -> AsyncIterator[Login1]:
    """The login manager, as if the machine had just booted."""
    async with Login1.connected(bus) as login1:
        yield login1


@pytest.fixture
async def logind(bus: str, login1: Login1) -> AsyncIterator[Logind]:
    """Our side of it."""
    async with Logind(bus) as logind:
        yield logind
