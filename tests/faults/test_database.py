"""The database goes away, and comes back."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")


@on("nats", "rabbit")
async def test_restarted(stage: Stage) -> None:
    """PostgreSQL is killed, stays away for a while, and recovers: casts wait for it, calls and saves are told so."""
    assert stage.postgres is not None
    async with stage.case("database restarted") as case:
        await asyncio.to_thread(stage.postgres.kill)
        await asyncio.sleep(3)
        await asyncio.to_thread(stage.postgres.start)
        await case.mended()
    assert case.counts.wrong() == {}
    assert case.counts.refused > 0


@on("cluster")
async def test_locked(stage: Stage) -> None:
    """A file of SQLite's is locked by another process for longer than anyone waits for it."""
    holder = sqlite3.connect(stage.database.removeprefix("sqlite:///"), isolation_level=None)
    async with stage.case("database locked") as case:
        holder.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(7)
        holder.execute("ROLLBACK")
        await case.mended()
    holder.close()
    assert case.counts.wrong() == {}
    assert case.counts.refused + case.counts.unknown > 0
