"""Many members come back to their broker at once."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from midflight.transports.embedded import _until_we_die
from tests.faults.processes import ENVIRONMENT, ROOT
from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOTAL = 200

BACK_SECONDS = {"nats": 8.0, "cluster": 8.0, "rabbit": math.inf}
"""By the broker. Over RabbitMQ, 200 members are 400 connections with their channels and queues, on the same processors
as all the rest: that they come back is promised, and how soon is measured."""


@on("nats", "cluster", "rabbit")
async def test_200_reconnects(stage: Stage) -> None:
    """The broker is killed and started again while 200 more are connected: all of them are answered again, and the
    traffic of the others flows."""
    async with crowd(stage) as answered, stage.case("200 reconnects", BACK_SECONDS[stage.name]) as case:
        stage.broker.kill()
        await asyncio.sleep(1)
        await stage.broker.start()
        await stage.broker.ready()
        await case.mended(answered)
    assert case.counts.wrong() == {}


@asynccontextmanager
async def crowd(stage: Stage) -> AsyncIterator[Path]:
    """The file in which it stands when the one of them was answered who has waited longest."""
    file = stage.folder / "crowd"
    command = [sys.executable, "-m", "tests.faults.crowd", stage.broker.url, str(TOTAL), str(file)]
    with (stage.folder / "crowd.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_until_we_die(),
            *command,
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(120):
            while not file.exists() or float(file.read_text()) == 0.0:
                assert process.returncode is None, (stage.folder / "crowd.log").read_text()[-3000:]
                await asyncio.sleep(0.1)
        yield file
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        file.unlink(missing_ok=True)
