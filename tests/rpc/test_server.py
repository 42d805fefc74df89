"""Servers: listening, draining under load, and the same over a real broker."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from midflight.errors import NotDelivered, ProjectError, Unknown, VersionRejected
from midflight.rpc.client import Client
from midflight.transports.base import Address
from midflight.transports.embedded import EmbeddedBroker
from tests.rpc import juno, kilo
from tests.rpc.world import Fleet, Member

JUNO: Client[juno.ComputeAPI] = Client(juno.ComputeAPI)
KILO: Client[kilo.ComputeAPI] = Client(kilo.ComputeAPI)


async def test_a_topic_without_an_implementation_is_not_served(fleet: Fleet) -> None:
    """Listening for what nobody here serves is a mistake in the service, told at its start."""
    member = await fleet.member(juno, "h1")
    with pytest.raises(ProjectError, match=r"serve\(compute@h1\): no implementation of this topic was added"):
        await member.server.serve(Address("compute", "h1"))


async def test_draining_loses_no_call_and_no_cast(fleet: Fleet) -> None:
    """While one of two members drains under load, every call is answered and every cast runs exactly once."""
    agents = [await fleet.juno("h1"), await fleet.juno("h2")]
    api = await fleet.member(juno, "a1")
    calls = [asyncio.create_task(_call(api, f"call-{number}")) for number in range(200)]
    casts = [asyncio.create_task(_cast(api, f"cast-{number}")) for number in range(200)]
    while len(agents[0].done) < 20:
        await asyncio.sleep(0.001)
    await agents[0].server.drain(5)
    taken = len(agents[0].done)
    answers = await asyncio.gather(*calls)
    await asyncio.gather(*casts)
    while len(agents[0].done) + len(agents[1].done) < 400:
        await asyncio.sleep(0.001)
    assert answers == [f"call-{number}" for number in range(200)]
    assert len(agents[0].done) == taken
    assert sorted(agents[0].done + agents[1].done) == sorted(
        f"{kind}-{number}" for kind in ("call", "cast") for number in range(200)
    )


async def test_draining_twice_does_no_harm(fleet: Fleet) -> None:
    """The second drain has nothing to do; nobody listens any more."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    await agent.server.drain(1)
    await agent.server.drain(1)
    with pytest.raises(NotDelivered):
        await JUNO.within(0.1).call(juno.ComputeAPI.echo, api.context, "x")


async def test_what_outlasts_the_drain_is_unknown_to_its_caller_and_a_cast_comes_again(fleet: Fleet) -> None:
    """A call that is cut off may have run; a cast that is cut off is run by the next member."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    call = asyncio.create_task(JUNO.within(3).call(juno.ComputeAPI.work, api.context, "call", 60))
    await JUNO.cast(juno.ComputeAPI.work, api.context, "cast", 60)
    while len(agent.done) < 2:
        await asyncio.sleep(0.001)
    await agent.server.drain(0.01)
    heir = await fleet.juno("h2")
    with pytest.raises(Unknown):
        await call
    while not heir.done:
        await asyncio.sleep(0.001)
    assert heir.done == ["cast"]
    await heir.server.drain(0.01)


async def test_the_same_over_nats(broker: EmbeddedBroker) -> None:
    """Two majors, both directions, a cast and a fanout over a real broker."""
    fleet = Fleet(broker.url, project=f"rpc{uuid4().hex[:8]}")
    try:
        old, new = await fleet.juno("h1"), await fleet.kilo("h2")
        ours, theirs = await fleet.member(kilo, "a1"), await fleet.member(juno, "a2")
        ours.floors.pins["compute"] = juno.contract.manifest
        instance = kilo.Instance(name="vm", power="paused")
        assert await KILO.on("h1").call(kilo.ComputeAPI.build_and_run, ours.context, instance, "image-1") == "built 35"
        built = await JUNO.on("h2").call(juno.ComputeAPI.build_instance, theirs.context, juno.Instance(name="vm"), 1)
        assert built == 8
        await KILO.on("h1").cast(kilo.ComputeAPI.work, ours.context, "cast")
        await KILO.fanout(kilo.ComputeAPI.work, ours.context, "fanout")
        while len(old.done) < 3 or len(new.done) < 2:
            await asyncio.sleep(0.01)
        ours.floors.pins["compute"] = kilo.contract.manifest
        with pytest.raises(VersionRejected):
            await KILO.on("h1").call(kilo.ComputeAPI.attach, ours.context, kilo.Volume())
        with pytest.raises(NotDelivered):
            await KILO.on("h9").within(4).call(kilo.ComputeAPI.evacuate, ours.context)
        assert sorted(map(str, old.done[1:])) == ["cast", "fanout"]
    finally:
        await fleet.stop()


async def _call(api: Member, what: str) -> str:
    return await JUNO.call(juno.ComputeAPI.work, api.context, what, 0.005)


async def _cast(api: Member, what: str) -> None:
    await JUNO.cast(juno.ComputeAPI.work, api.context, what, 0.005)
