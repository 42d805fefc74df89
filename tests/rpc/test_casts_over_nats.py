"""Parked casts of a real broker: they outlive who parked them, and the broker too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from midflight.transports.embedded import EmbeddedBroker
from tests.rpc.machines import BEFORE, After
from tests.rpc.test_casts import Yard, eventually
from tests.rpc.world import Fleet
from tests.transports.ports import Port


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker of this test alone."""
    with Port() as port:
        async with EmbeddedBroker(tmp_path / "broker", port.number) as broker:
            yield broker


async def test_parked_casts_outlive_receiver_and_broker_and_run_in_their_order(own_broker: EmbeddedBroker) -> None:
    """Stop, the start that was held back behind it, and the start that waited in the queue."""
    project = f"test-{uuid4().hex[:8]}"
    fleet = Fleet(own_broker.url, project)
    yard = await Yard(fleet).open()
    old, parked = await yard.park_stop_and_start()
    await old.server.drain(1)
    await old.transport.close()
    own_broker.kill()
    await own_broker.start()
    assert await yard.parked(2) == parked
    await yard.cast(After.start, older=True)
    await yard.agent()
    await eventually(lambda: len(yard.done) == 3)
    assert yard.done == ["stop a", "start a", "start a"]
    await yard.parked(0)
    await fleet.stop()


async def test_a_cast_is_replayed_over_a_real_broker(own_broker: EmbeddedBroker) -> None:
    """At once after it was parked; it runs once, and lets go what was held back."""
    fleet = Fleet(own_broker.url, f"test-{uuid4().hex[:8]}")
    yard = await Yard(fleet).open()
    old = await yard.agent(BEFORE)
    await yard.cast(After.erase)
    await yard.cast(After.start, older=True)
    erase, _ = await yard.parked(2)
    await yard.replay(erase, "too early")
    await old.server.drain(1)
    await yard.agent()
    for act in ("one", "two"):
        await yard.replay(erase, act)
    await eventually(lambda: len(yard.done) == 2)
    assert yard.done == ["erase a", "start a"]
    await yard.parked(0)
    await fleet.stop()
