"""How large a message may be: beyond what a broker takes at once, only for peers that take bodies in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from midflight.errors import MessageTooLarge
from midflight.objects.registry import Registry
from midflight.rpc.client import Client
from midflight.rpc.interface import Contract, Interface
from midflight.transports.base import MAX_WHOLE
from midflight.transports.embedded import EmbeddedBroker
from tests.rpc import juno
from tests.rpc.world import Fleet, JunoCompute, Member
from tests.transports.recorder import eventually

COMPUTE = Client(juno.ComputeAPI)
LARGE = "x" * 3_000_000


class MemberAPI(Interface, Protocol, topic="member", version="1.1"):
    """As midflight's own: from 1.1 on its members take bodies in parts."""


class Present:
    """juno on a midflight that takes bodies in parts; the module itself is one on a midflight from before."""

    name, errors = "juno", juno.errors
    contract = Contract(Registry([juno.Instance, juno.Image], "cloud"), [juno.ComputeAPI, MemberAPI])


@pytest.fixture
async def fleet(broker: EmbeddedBroker) -> AsyncIterator[Fleet]:
    """A fleet on a broker that takes 1 MiB at once."""
    fleet = Fleet(broker.url, "sizes")
    yield fleet
    await fleet.stop()


async def agent(fleet: Fleet, release: Any, host: str) -> Member:
    """Serves compute."""
    member = await fleet.member(release, host, "compute")
    return await member.serve(JunoCompute(member.done, member.seen))


async def test_large_arguments_and_results_arrive(fleet: Fleet) -> None:
    """A call and its answer, and a cast, of three times what the broker takes; with the manifest, so that it need not
    be asked for and all of it be sent again."""
    there, api = await agent(fleet, Present, "h1"), await fleet.member(Present, "a1")
    assert await COMPUTE.on("h1").call(juno.ComputeAPI.echo, api.context, LARGE) == LARGE
    assert len(api.transport.calls) == 1
    assert await COMPUTE.call(juno.ComputeAPI.echo, api.context, "a lot" * 20) == "a lot" * 20 * 20_000
    await COMPUTE.cast(juno.ComputeAPI.echo, api.context, LARGE)
    await eventually(lambda: len(there.done) == 3)
    assert there.done == [LARGE, "a lot" * 20, LARGE]


async def test_beyond_the_limit_there_is_one_error_at_the_sender(fleet: Fleet) -> None:
    """It names the size, the limit and the way out, and nothing was sent; the answer of a callee likewise. A fanout
    never goes in parts."""
    await agent(fleet, Present, "h1")
    api = await fleet.member(Present, "a1")
    for send in (COMPUTE.call, COMPUTE.cast):
        with pytest.raises(MessageTooLarge) as caught:
            await send(juno.ComputeAPI.echo, api.context, "x" * 16_000_000)
        said = f"compute.echo is {caught.value.size} bytes; at most {MAX_WHOLE} can be sent. "
        assert str(caught.value) == said + "Send less at once, page by page."
    with pytest.raises(MessageTooLarge, match=r"^compute\.echo is 300\d+ bytes; at most 1040384 can be sent\."):
        await COMPUTE.fanout(juno.ComputeAPI.echo, api.context, LARGE)
    assert (api.transport.calls, api.transport.told) == ([], [])


async def test_a_callee_on_an_older_midflight_gets_nothing_in_parts(fleet: Fleet) -> None:
    """The sender knows from its manifest, sends nothing, and says why; what fits is sent as ever."""
    old, api = await agent(fleet, juno, "h1"), await fleet.member(Present, "a1")
    api.floors.pins["compute", "h1"] = juno.contract.manifest
    here = COMPUTE.on("h1")
    for send in (here.call, here.cast):
        with pytest.raises(MessageTooLarge, match=r" is 300\d+ bytes; at most 1040384 can be sent\.") as caught:
            await send(juno.ComputeAPI.echo, api.context, LARGE)
        said = "compute.echo, to compute@h1, whose midflight is too old for bodies in parts, is"
        assert str(caught.value).startswith(said)
    assert (api.transport.calls, api.transport.told) == ([], [])
    assert await here.call(juno.ComputeAPI.echo, api.context, LARGE[:1_000_000]) == LARGE[:1_000_000]
    assert old.done == [LARGE[:1_000_000]]


async def test_a_caller_on_an_older_midflight_gets_no_answer_in_parts(fleet: Fleet) -> None:
    """It is told the size and why, and not left waiting."""
    await agent(fleet, Present, "h1")
    api = await fleet.member(juno, "a1")
    with pytest.raises(MessageTooLarge, match=r"^the answer of compute\.echo, to a caller, whose midflight is too old"):
        await COMPUTE.call(juno.ComputeAPI.echo, api.context, "a lot" * 20)
