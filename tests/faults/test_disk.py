"""The disk under JetStream is full."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")


@on("nats-small")
async def test_full(stage: Stage) -> None:
    """While the disk is full no cast is confirmed, and calls go on. NATS stores nothing more until it is restarted,
    also when there is room again; then whatever was confirmed is there."""
    async with stage.case("disk full") as case:
        ballast = fill(stage.folder / "broker")
        await case.stalls("tell")
        await asyncio.sleep(STAYS_SECONDS)
        ballast.unlink()
        stage.broker.kill()
        await stage.broker.start()
        await stage.broker.ready()
        await case.mended()
    assert case.counts.wrong() == {}
    assert case.counts.unknown > 0


STAYS_SECONDS = 11.0
"""Until a cast that cannot be stored has been given up: it is handed to the broker twice, for five seconds each."""


def fill(folder: Path) -> Path:
    """A file that leaves no room for anything."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"\0" * 65536)
            except OSError:
                return ballast
