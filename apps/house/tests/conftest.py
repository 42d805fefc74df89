"""A house in one process: rows in a file, and a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from house import clock
from house.objects.machine import Machine
from house.project import project
from midflight import Context
from midflight.context import Database
from midflight.db.schema.runner import SchemaRunner
from midflight.testing import LocalFleet
from tests.jumping import JumpingClock
from tests.order import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    """The conductor's clock, and everyone's."""
    jumping = JumpingClock()
    monkeypatch.setattr(clock, "now", jumping.now)
    return jumping


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to copy: the schema as this release's revisions make it."""
    file = tmp_path_factory.mktemp("schema") / "house.db"
    SchemaRunner(f"sqlite:///{file}", project.schema, project.tables, "this release").expand(project.migrations)
    return file


@pytest.fixture
async def context(local_fleet: LocalFleet) -> AsyncIterator[Context]:
    """In a process that has the database."""
    async with local_fleet as fleet:
        yield fleet.context(user="ada")


@pytest.fixture
def database(context: Context) -> Database:
    return context.db


@pytest.fixture
async def desk(context: Context, time: JumpingClock) -> Machine:
    """A machine that is awake, and has been for an hour."""
    machine = Machine(
        context=context, name="desk", mac="52:54:00:00:00:01", addresses=["10.0.0.2", "fd00::2"], watts=62
    )
    await machine.create()
    await machine.wake_up()
    time.pass_(hours=1)
    return await Machine.get(context, "desk")
