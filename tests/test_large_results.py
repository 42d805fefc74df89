"""A hundred thousand instances, walked page by page from another process, over a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from midflight.db.engine import create, parse, transaction
from midflight.db.schema.runner import SchemaRunner
from midflight.transports.embedded import EmbeddedBroker
from tests.large_results import TOTAL, fill

ROOT = Path(__file__).parent.parent
CONFIG = """[midflight]
project = "tests.large_results:project"
broker = "{broker}"
call_seconds = 2.0
{database}
"""


@pytest.fixture
def folder(tmp_path: Path, broker: EmbeddedBroker) -> Path:
    """Configurations of a conductor and of a script, and a filled database."""
    url = f"sqlite:///{tmp_path / 'large.db'}"
    SchemaRunner(url, None, None, "unreleased").expand()
    engine = create(parse(url))
    with transaction(engine, writes=True) as connection:
        fill(connection)
    engine.dispose()
    for name, database in (("conductor", f'database = "{url}"'), ("script", "")):
        (tmp_path / f"{name}.toml").write_text(CONFIG.format(broker=broker.url, database=database))
    return tmp_path


async def started(*words: str, **options: Any) -> Process:
    """A process of ours."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return await asyncio.create_subprocess_exec(sys.executable, *words, env=environment, **options)


@asynccontextmanager
async def conductor(folder: Path) -> AsyncIterator[Process]:
    """A conductor that is ready; killed at the end."""
    words = ("-m", "midflight.cli", "run", "conductor", "--config", str(folder / "conductor.toml"))
    process = await started(*words, cwd=folder, stderr=PIPE)
    try:
        assert process.stderr is not None
        async for line in process.stderr:
            if b"service.ready" in line:
                break
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(script: Process) -> AsyncIterator[dict[str, Any]]:
    """What the script says, line by line."""
    assert script.stdout is not None
    async for line in script.stdout:
        yield json.loads(line)


def peak_mb(process: Process) -> float:
    """The most memory that a process had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


async def test_a_hundred_thousand_instances(folder: Path) -> None:
    """Each comes once, and neither side ever holds more than a few pages: both take less than 25 MB for what is 40 MB
    in rows, and more as objects."""
    async with conductor(folder) as serving:
        before = peak_mb(serving)
        script = await started("-m", "tests.large_results", str(folder / "script.toml"), "500", cwd=folder, stdout=PIPE)
        *lines, end = [line async for line in said(script)]
        assert await script.wait() == 0
        grown = peak_mb(serving) - before
    assert (end["count"], end["sum"]) == (TOTAL, TOTAL * (TOTAL - 1) // 2)
    assert len(lines) == TOTAL // 500
    assert (end["grown_mb"] < 25, grown < 25) == (True, True), (end["grown_mb"], grown)


async def test_a_conductor_that_restarts_in_the_middle(folder: Path) -> None:
    """It is killed with pages to go, and another one starts a moment later: the walk goes on where it was, since
    nothing of it was kept in the conductor."""
    script: Process | None = None
    at = 0
    async with conductor(folder):
        script = await started("-m", "tests.large_results", str(folder / "script.toml"), "500", cwd=folder, stdout=PIPE)
        walking = said(script)
        async for line in walking:
            at = line["at"]
            if at >= 10_000:
                break
    assert at < TOTAL
    async with conductor(folder):
        *_, end = [line async for line in walking]
        assert await script.wait() == 0
    assert (end["count"], end["sum"]) == (TOTAL, TOTAL * (TOTAL - 1) // 2)


async def test_whoever_stops_early_leaves_nothing_behind(folder: Path) -> None:
    """A script that is killed in the middle holds nothing in the conductor, which stops at once when it is told."""
    async with conductor(folder) as serving:
        script = await started("-m", "tests.large_results", str(folder / "script.toml"), "100", cwd=folder, stdout=PIPE)
        async for line in said(script):
            if line["at"] >= 1_000:
                break
        script.kill()
        await script.communicate()
        serving.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await serving.wait() == 0
