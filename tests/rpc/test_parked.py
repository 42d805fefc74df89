"""Casts that cannot be served are kept, with the same facts at both ends."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from midflight.context import Caller
from midflight.errors import BrokerUnreachable, VersionRejected
from midflight.rpc.client import Client
from midflight.rpc.messages import decode_request
from midflight.rpc.parked import Parking, tell_nobody
from midflight.rpc.rejected import log_rejected
from midflight.transports.base import Address, CastDelivery, Identity, ParkedMessage, Redeliver
from tests.rpc import juno, kilo
from tests.rpc.world import Fleet, Member

SENDER = Identity("api", "a1")

KILO: Client[kilo.ComputeAPI] = Client(kilo.ComputeAPI)
WHO_AND_WHAT = {
    "sender": "api@a1", "sender_release": "kilo", "sender_member": "api-a1", "pin_epoch": "7",
    "receiver": "compute@h1", "receiver_release": "juno", "interface": "compute", "method": "compute.attach",
    "requested": "4.1", "understood": "3.35",
}  # fmt: skip


async def test_a_cast_of_another_version_is_parked_and_told_at_both_ends(fleet: Fleet) -> None:
    """The parked message, the receiver's log and what the sender is told have the same facts."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    with capture_logs() as logs:
        await KILO.on("h1").cast(kilo.ComputeAPI.attach, api.context, kilo.Volume())
        (parked,) = await _parked(agent)
        ((told, member),) = agent.told
        log_rejected(told, "sender")  # as the sender does when it is told
    assert (parked.address, parked.body) == (Address("compute", "h1"), api.transport.told[0])
    assert parked.facts.items() >= WHO_AND_WHAT.items()
    assert parked.facts["reason"].startswith("compute@h1 (juno) serves compute 3.35 and cannot serve compute.attach of")
    assert (member, told) == ("api-a1", parked.facts)
    rejected = [entry for entry in logs if entry["event"] == "rpc.version_rejected"]
    assert [entry["side"] for entry in rejected] == ["receiver", "sender"]
    assert all(entry.items() >= WHO_AND_WHAT.items() for entry in rejected)
    assert agent.done == []


async def test_a_parked_cast_can_be_served_later_as_it_is(fleet: Fleet) -> None:
    """The body that was kept is the message: a newer member runs it."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    await KILO.on("h1").cast(kilo.ComputeAPI.attach, api.context, kilo.Volume(gigabytes=9))
    (parked,) = await _parked(agent)
    newer = await fleet.kilo("h2")
    await newer.dispatcher.on_cast(CastDelivery(parked.body, parked.message_id, 1, SENDER), Address("compute", "h2"))
    assert newer.done == [kilo.Volume(gigabytes=9)]


async def test_garbage_is_parked_without_a_name(fleet: Fleet) -> None:
    """Bytes of nobody are kept at the topic where they came, with the reason; the server serves on."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    await api.transport.cast(Address("compute"), b"\xc1", "garbage-1")
    (parked,) = await _parked(agent)
    assert (parked.address, parked.body, parked.message_id) == (Address("compute"), b"\xc1", "garbage-1")
    assert parked.facts["error"] == "MalformedMessage"
    assert agent.told == []
    assert await Client(juno.ComputeAPI).call(juno.ComputeAPI.echo, api.context, "on") == "on"


async def test_what_came_without_an_id_can_be_named(fleet: Fleet) -> None:
    """Each of two casts that somebody else has sent, without ids, is parked under a name of its own."""
    agent = await fleet.juno("h1")
    for body in (b"", b"\xc1", b"\xc1"):
        await agent.dispatcher.on_cast(CastDelivery(body, "", 1, SENDER), Address("compute"))
    assert {message.body for message in await _parked(agent)} == {b"", b"\xc1"}
    for message in await _parked(agent):
        assert message.facts["message_id"] == message.message_id
        assert await agent.transport.discard(message.address, message.message_id)
    assert not await agent.transport.parked()


async def test_a_cast_with_a_wrong_argument_is_parked_with_its_senders_name(fleet: Fleet) -> None:
    """Whatever refuses a cast, who sent it to whom is kept; the sender is called back for versions only."""
    agent, api = await fleet.juno("h1"), await fleet.member(juno, "a1")
    await Client(juno.ComputeAPI).cast(juno.ComputeAPI.work, api.context, "x")
    while not agent.done:
        await asyncio.sleep(0.001)
    good = decode_request(api.transport.told[0])
    wrong = api.transport.told[0].replace(good.arguments, b"\x81\xa4what\x90")
    await api.transport.cast(Address("compute"), wrong, "wrong-1")
    (parked,) = await _parked(agent)
    assert parked.facts["reason"] == "compute.work(what): received list of 0, expected str."
    assert (parked.facts["sender"], parked.facts["receiver"]) == ("api@a1", "compute@h1")
    assert (parked.facts["method"], parked.facts["requested"]) == ("compute.work", "3.35")
    assert agent.told == []


async def test_a_cast_that_cannot_be_parked_comes_again(fleet: Fleet) -> None:
    """Nothing is lost when the broker does not take it, either."""
    agent = await fleet.member(juno, "h1")
    agent.transport.failing = [BrokerUnreachable(url="nats://x", reason="gone")]
    parking = Parking(agent.transport, agent.identity)
    error = _rejected()
    with capture_logs() as logs, pytest.raises(Redeliver):
        await parking.park(CastDelivery(b"x", "id-1", 1, SENDER), Address("compute", "h1"), None, error)
    assert [entry["event"] for entry in logs] == ["rpc.not_parked"]
    assert await agent.transport.parked() == []


async def test_a_sender_that_cannot_be_told_changes_nothing(fleet: Fleet) -> None:
    """Telling it is best effort: the cast stays parked, and the log says so."""
    agent, api = await fleet.member(juno, "h1", "compute"), await fleet.member(kilo, "a1")
    await KILO.cast(kilo.ComputeAPI.attach, api.context, kilo.Volume())
    body = api.transport.told[0]

    async def gone(facts: dict[str, str], member: str) -> None:
        raise ConnectionError(member)

    parking = Parking(agent.transport, agent.identity, gone)
    with capture_logs() as logs:
        delivery = CastDelivery(body, "id-1", 1, SENDER)
        await parking.park(delivery, Address("compute", "h1"), decode_request(body), _rejected())
    assert [entry["event"] for entry in logs] == ["rpc.parked", "rpc.sender_not_told"]
    assert len(await agent.transport.parked()) == 1
    await tell_nobody({}, "api-a1")


def _rejected() -> VersionRejected:
    agent = Caller("compute", "h1", "juno", "compute-h1", 0)
    return VersionRejected(
        interface="compute", method="compute.attach", requested="4.1", understood="3.35", sender="api@a1 (kilo)",
        callee=str(agent), pin_epoch=7,
    )  # fmt: skip


async def _parked(agent: Member) -> list[ParkedMessage]:
    while not (found := await agent.transport.parked()):
        await asyncio.sleep(0.001)
    return list(found)
