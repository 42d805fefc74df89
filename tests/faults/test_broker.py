"""The broker is killed, or frozen, and comes back."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")


@on("nats", "cluster", "rabbit")
async def test_killed(stage: Stage) -> None:
    """A broker that is killed and started again has lost nothing, and traffic flows again."""
    async with stage.case("broker killed") as case:
        stage.broker.kill()
        await asyncio.sleep(1)
        await stage.broker.start()
        await stage.broker.ready()
        await case.mended()
    assert case.counts.wrong() == {}


@on("nats", "nats-tls", "cluster", "rabbit", "rabbit-tls")
async def test_frozen(stage: Stage) -> None:
    """A broker that is frozen, and goes on when all have given it up."""
    async with stage.case("broker frozen") as case:
        stage.broker.freeze()
        await asyncio.sleep(6)
        stage.broker.thaw()
        await stage.broker.ready()
        await case.mended()
    assert case.counts.wrong() == {}
