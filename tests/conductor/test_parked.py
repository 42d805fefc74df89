"""An operator decides about parked messages, and the fleet writes it down."""

from __future__ import annotations

import pytest

from midflight.conductor.interface import ConductorAPI
from midflight.errors import NoConductor, UsageError
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports.base import ParkedMessage
from midflight.upgrade.operator import Operator, operating
from tests.conductor import juno, kilo
from tests.conductor.world import CONDUCTOR, World, eventually

COMPUTE = Client(kilo.ComputeAPI)


async def _park(world: World, operator: Operator, count: int) -> list[ParkedMessage]:
    """An older agent is told what it does not know."""
    sender = world.running("api", "a1", kilo, levels={"compute": "kilo"})
    async with world.running("agent", "h1", juno), sender as api:
        for _ in range(count):
            await COMPUTE.on("h1").cast(kilo.ComputeAPI.sing, api.context())

        async def parked() -> list[ParkedMessage]:
            found = await operator.parked()
            return found if len(found) == count else []

        return list(await eventually(parked))


async def _noted(conductor: RunningService) -> list[tuple[str, str]]:
    entries = await CONDUCTOR.call(ConductorAPI.journal, conductor.context(), None)
    return [(entry.kind, entry.facts["message_id"]) for entry in entries if entry.kind.startswith("parked.")]


async def test_what_an_operator_decides_is_in_the_journal(world: World) -> None:
    """With who decided, and the facts of the message; what is replayed runs, what is discarded does not."""
    async with (
        world.running("conductor", release=kilo) as conductor,
        operating(world.config("agent"), world.project(kilo)) as operator,
    ):
        first, second = await _park(world, operator, 2)
        async with world.running("agent", "h1", kilo):
            await operator.replay(first)
            assert await operator.discard(second)
            assert not await operator.discard(second)

            async def none_left() -> bool:
                return await operator.parked() == []

            await eventually(none_left)
        ids = [first.message_id, second.message_id, second.message_id]
        kinds = ["parked.replayed", "parked.discarded", "parked.discarded"]
        assert await _noted(conductor) == list(zip(kinds, ids, strict=True))
        entries = await CONDUCTOR.call(ConductorAPI.journal, conductor.context(), None)
        [facts] = [entry.facts for entry in entries if entry.kind == "parked.replayed"]
        assert facts["by"].startswith("operator@")
        assert (facts["address"], facts["method"], facts["sender"]) == ("compute@h1", "compute.sing", "api@a1")


async def test_nothing_is_decided_that_cannot_be_written_down(world: World) -> None:
    """Without a conductor, everything stays parked."""
    async with operating(world.config("agent", call_seconds=0.2), world.project(kilo)) as operator:
        async with world.running("conductor", release=kilo):
            [message] = await _park(world, operator, 1)
        for act in (operator.replay, operator.discard):
            with pytest.raises(NoConductor):
                await act(message)
        assert await operator.parked() == [message]


async def test_a_decision_that_is_none_is_refused(world: World) -> None:
    """And noted nowhere."""
    async with world.running("conductor", release=kilo) as conductor:
        with pytest.raises(UsageError, match="received act 'eaten', expected 'replayed' or 'discarded'"):
            await CONDUCTOR.call(ConductorAPI.note_parked, conductor.context(), "eaten", {})
        assert await _noted(conductor) == []
