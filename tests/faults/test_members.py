"""A conductor, an agent, a teller is killed with work in its hands, or frozen."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.stage import Stage, on

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def killed(stage: Stage, service: str, name: str) -> None:
    member = stage.members[f"{service}-h1"]
    async with stage.case(name) as case:
        await member.kill()
        await asyncio.sleep(1)
        await member.start()
        await case.mended()
    assert case.counts.wrong() == {}


@on("nats", "cluster", "rabbit")
async def test_conductor_killed_in_a_call(stage: Stage) -> None:
    """A conductor is killed in the middle of saves: what was acknowledged is in the database, once."""
    await killed(stage, "conductor", "conductor killed in a call")


@on("nats", "cluster", "rabbit")
async def test_agent_killed_in_a_cast(stage: Stage) -> None:
    """An agent is killed in the middle of casts: each comes again to its successor."""
    await killed(stage, "agent", "agent killed in a cast")


@on("nats", "cluster", "rabbit")
async def test_teller_killed_in_a_cast(stage: Stage) -> None:
    """A service with a database is killed in the middle of casts: each comes again, and leaves one row."""
    await killed(stage, "teller", "teller killed in a cast")


@on("nats", "rabbit")
async def test_agent_frozen(stage: Stage) -> None:
    """An agent does nothing for a while, and goes on where it was."""
    member = stage.members["agent-h1"]
    async with stage.case("agent frozen") as case:
        member.freeze()
        await asyncio.sleep(6)
        member.thaw()
        await case.mended()
    assert case.counts.wrong() == {}
