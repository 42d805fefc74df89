"""A stage for each broker, set up once; and the report at the end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from midflight.db.cluster import Cluster
from tests.faults import report
from tests.faults.brokers import BROKERS
from tests.faults.stage import Stage

ON_POSTGRESQL = "nats", "rabbit"
"""The stages with a PostgreSQL; the others have a file."""


def pytest_sessionstart() -> None:
    """The counts of an earlier run are no counts of this one."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        report.clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the report."""
    if "PYTEST_XDIST_WORKER" not in os.environ and (cases := report.write()):
        terminalreporter.section(f"faults, in {report.REPORT}")
        terminalreporter.write(report.show(cases))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def the_stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A stage round the broker that is asked for."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "broker").mkdir()
    postgres = Cluster(synchronous_commit="on") if request.param in ON_POSTGRESQL else None
    async with Stage(request.param, BROKERS[request.param](folder / "broker"), folder, postgres).running() as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def stage(the_stage: Stage) -> AsyncIterator[Stage]:
    """The same, on which all work before and after a case."""
    yield the_stage
    await the_stage.heal()
