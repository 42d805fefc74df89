"""A manifest travels by digest, its text once."""

from __future__ import annotations

import pytest

from midflight.errors import MalformedMessage
from midflight.rpc.client import Client
from midflight.rpc.manifests import ManifestStore, NeedManifest
from midflight.rpc.messages import Reply, Sender, decode_request, encode
from midflight.transports.base import Address
from midflight.versions import Manifest, Version
from tests.rpc import juno, kilo
from tests.rpc.test_messages import request
from tests.rpc.world import Fleet, JunoCompute

KILO: Client[kilo.ComputeAPI] = Client(kilo.ComputeAPI)


async def test_an_unknown_digest_costs_exactly_one_extra_trip(fleet: Fleet) -> None:
    """The first call is sent twice, the second time with the text; nothing ran before; later calls need no text."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    for text in ("first", "second", "third"):
        assert await KILO.call(kilo.ComputeAPI.work, api.context, text) == text
    texts = [decode_request(body).manifest_text is not None for body in api.transport.calls]
    assert texts == [False, True, False, False]
    assert agent.done == ["first", "second", "third"]


async def test_each_member_asks_once(fleet: Fleet) -> None:
    """The text goes to the very member that asked, so that every one of a topic soon knows it."""
    agents = [await fleet.juno("h1"), await fleet.juno("h2")]
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    for number in range(40):
        await KILO.call(kilo.ComputeAPI.work, api.context, str(number))
    assert len(api.transport.calls) == 42
    assert sum(len(agent.done) for agent in agents) == 40


async def test_a_member_that_left_after_it_asked_is_replaced_by_another(fleet: Fleet) -> None:
    """When the one that asked is gone, the call goes to whoever listens at the address."""
    first, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    agents = [first]
    api.floors.pins["compute"] = juno.contract.manifest
    deliver = api.transport.call

    async def call(address: Address, body: bytes, timeout: float) -> bytes:
        reply = await deliver(address, body, timeout)
        if len(api.transport.calls) == 1:
            await first.server.drain(1)
            agents.append(await fleet.juno("h2"))
        return reply

    api.transport.call = call  # type: ignore[method-assign]  # the first leaves between two trips
    assert await KILO.call(kilo.ComputeAPI.work, api.context, "x") == "x"
    assert [agent.done for agent in agents] == [[], ["x"]]


async def test_a_member_whose_host_is_no_address_is_told_by_whoever_comes_first(fleet: Fleet) -> None:
    """A host name with a blank cannot be sent to; the call goes to the topic again."""
    agent = await fleet.member(juno, "h1 example.org", "compute")
    agent.host = "h1"
    await agent.serve(JunoCompute(agent.done, agent.seen))
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    assert await KILO.call(kilo.ComputeAPI.work, api.context, "x") == "x"
    assert len(api.transport.calls) == 2


async def test_a_call_on_a_host_is_sent_again_to_that_host(fleet: Fleet) -> None:
    """Where the address names the host already, the second trip goes there, under whatever name it listens."""
    agent = await fleet.member(juno, "h1", "compute")
    agent.host = "member-1"
    await agent.serve(JunoCompute(agent.done, agent.seen))
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute", "member-1"] = juno.contract.manifest
    assert await KILO.on("member-1").call(kilo.ComputeAPI.work, api.context, "x") == "x"
    assert len(api.transport.calls) == 2


async def test_a_callee_that_asks_for_ever_is_refused(fleet: Fleet) -> None:
    """A second need_manifest after the text is no answer."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest

    async def call(address: Address, body: bytes, timeout: float) -> bytes:
        return encode(Reply(protocol=1, sender=Sender("compute", "h1", "juno"), status="need_manifest"))

    api.transport.call = call  # type: ignore[method-assign]  # a callee that has lost its memory
    with pytest.raises(
        MalformedMessage, match=r"compute@h1 \(juno\) was refused: it got our manifest, and asked for it ag"
    ):
        await KILO.call(kilo.ComputeAPI.work, api.context, "x")
    assert agent.done == []


def test_what_is_no_manifest_is_refused() -> None:
    """A text that does not parse, and one that is not what its digest says, name the sender."""
    store = ManifestStore(juno.contract.manifest)
    with pytest.raises(NeedManifest):
        store.of(request(manifest="0" * 16))
    with pytest.raises(
        MalformedMessage, match=r"A message from api@a1 \(kilo\) was refused: its manifest: received ver"
    ):
        store.of(request(manifest="0" * 16, manifest_text={"compute": ["three"]}))
    with pytest.raises(MalformedMessage, match="its manifest: "):
        store.of(request(manifest="0" * 16, manifest_text={"compute": []}))
    with pytest.raises(
        MalformedMessage, match="its manifest has digest [0-9a-f]{16}, but it is called 0000000000000000"
    ):
        store.of(request(manifest="0" * 16, manifest_text={"compute": ["3.35"]}))


def test_the_store_is_bounded() -> None:
    """However many manifests strangers tell, the store forgets the oldest and can be told again."""
    own = juno.contract.manifest
    store = ManifestStore(own)
    others = [Manifest({"compute": Version(1, minor)}) for minor in range(1_200)]
    for other in others:
        assert store.of(request(manifest=other.digest, manifest_text=other.to_wire())) == other
    assert store.of(request(manifest=others[-1].digest)) == others[-1]
    assert store.of(request(manifest=own.digest)) == own
    with pytest.raises(NeedManifest):
        store.of(request(manifest=others[0].digest))
