"""The network between some members and the broker is cut, slow, or goes one way only."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.network import cabled, relayed
from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")

STUCK_SECONDS = 16.0
"""A NATS server that gives signs of life and does not read is given up when a ping has no answer for ten seconds."""


@on("nats", "cluster", "rabbit")
async def test_cut(stage: Stage) -> None:
    """A conductor, a teller and an agent are cut off, and nobody is told: the others go on, and when the network is
    mended all do."""
    way = cabled(stage.broker.url)
    async with way as network, stage.moved("h1", network.way, network.enter), stage.case("network cut") as case:
        network.cut()
        await asyncio.sleep(5)
        network.mend()
        await case.mended()
    assert case.counts.wrong() == {}


@on("nats", "rabbit")
async def test_slow(stage: Stage) -> None:
    """Each way takes 0.2 s longer: all is slower, and nothing is lost."""
    way = cabled(stage.broker.url)
    async with way as network, stage.moved("h1", network.way, network.enter), stage.case("network slow") as case:
        network.delay(0.2)
        await asyncio.sleep(4)
        network.delay(0)
        await case.mended()
    assert case.counts.wrong() == {}


@on("nats", "rabbit")
async def test_a_peer_that_stops_reading(stage: Stage) -> None:
    """What a conductor, a teller and an agent say is not read any more, while they still hear others: they go over to
    another connection by themselves."""
    way = relayed(stage.broker.url)
    async with way as network, stage.moved("h1", network.way), stage.case("peer stops reading", STUCK_SECONDS) as case:
        network.stop_reading()
        await case.mended()
    assert case.counts.wrong() == {}
