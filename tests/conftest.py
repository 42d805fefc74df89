"""What tests of every package may use."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from midflight import telemetry
from midflight.db.cluster import Cluster
from midflight.transports.embedded import EmbeddedBroker
from tests.order import pytest_collection_modifyitems, pytest_xdist_make_scheduler
from tests.transports.rabbit import Rabbit

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]

MEMORY = Path("/dev/shm")
ROOM = 6 << 30
"""Bytes: all of the tests together leave less than half of it behind until they end."""


def pytest_configure() -> None:
    """Temporary folders, also those of processes that tests start, are in memory, where there is room for them and
    programs in them may be run: hundreds of databases and brokers would else wait for the disk, sometimes long."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


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


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """A running RabbitMQ broker that all tests share; each takes a project name of its own, so they do not meet."""
    rabbit = Rabbit(tmp_path_factory.mktemp("rabbit"))
    asyncio.run(rabbit.start())
    yield rabbit
    rabbit.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running PostgreSQL that all tests share."""
    with Cluster() as postgres:
        yield postgres


@pytest.fixture
def postgresql_url(postgres: Cluster) -> Iterator[str]:
    """An empty database in it, which is gone after the test."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/fleet.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url
