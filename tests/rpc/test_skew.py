"""Two releases that call each other through the front door."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from midflight.errors import CannotBackport, PinnedOut, VersionRejected
from midflight.rpc.client import Client
from midflight.rpc.messages import decode_request
from tests.rpc import juno, kilo
from tests.rpc.world import Fleet, counted

JUNO: Client[juno.ComputeAPI] = Client(juno.ComputeAPI)
KILO: Client[kilo.ComputeAPI] = Client(kilo.ComputeAPI)


async def test_an_old_caller_is_served_by_a_new_service_through_its_adapters(fleet: Fleet) -> None:
    """A 3.35 request reaches the 4.x method under its new name, and its answer returns in the old form."""
    agent, api = await fleet.kilo("h1"), await fleet.member(juno, "a1")
    reply = await JUNO.call(juno.ComputeAPI.build_instance, api.context, juno.Instance(name="vm"), 7)
    assert reply == len("built it")
    assert agent.done == [(kilo.Instance(name="vm"), "image-7", False)]


async def test_a_new_caller_under_an_old_pin_speaks_the_old_form(fleet: Fleet) -> None:
    """Under a 3.35 pin the request leaves under the old name, version and arguments, and the answer comes home new."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    reply = await KILO.call(kilo.ComputeAPI.build_and_run, api.context, kilo.Instance(name="vm"), "image-9")
    request = decode_request(api.transport.calls[0])
    assert reply == "built 35"
    assert (request.method, request.version, request.sender.pin_epoch) == ("build_instance", "3.35", 7)
    assert agent.done == [(juno.Instance(name="vm"), 9)]


async def test_one_service_serves_both_majors_at_once(fleet: Fleet) -> None:
    """Callers of 3.35 and 4.1 call the same process side by side."""
    await fleet.kilo("h1")
    old, new = await fleet.member(juno, "a1"), await fleet.member(kilo, "a2")
    assert await JUNO.call(juno.ComputeAPI.build_instance, old.context, juno.Instance(name="a"), 1) == 8
    assert await KILO.call(kilo.ComputeAPI.build_and_run, new.context, kilo.Instance(name="b"), "c") == "built it"


async def test_an_endpoint_that_did_not_change_is_the_same_in_both_majors(fleet: Fleet) -> None:
    """Without an adapter, a 3.x request is served as it is."""
    agent, api = await fleet.kilo("h1"), await fleet.member(juno, "a1")
    assert await JUNO.call(juno.ComputeAPI.evacuate, api.context, "h9") == ["h9"]
    assert agent.done == [("evacuate", "h9")]


async def test_the_reply_is_written_in_the_callers_versions(fleet: Fleet) -> None:
    """A kilo service answers a juno caller with juno's Instance, backported in the reply and counted there."""
    await fleet.kilo("h1")
    api = await fleet.member(juno, "a1")
    before = counted("objects.backport", object="Instance", where="reply", peer="api@a1")
    instance = await JUNO.call(juno.ComputeAPI.reboot, api.context, juno.Instance(name="vm"))
    assert type(instance) is juno.Instance
    assert instance.power == "on"
    assert counted("objects.backport", object="Instance", where="reply", peer="api@a1") == before + 1


async def test_arguments_are_written_in_the_peers_versions(fleet: Fleet) -> None:
    """A pinned kilo sender backports the objects in its arguments, and counts it as the sender."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute", "h1"] = juno.contract.manifest
    before = counted("objects.backport", object="Instance", where="sender", peer="compute@h1")
    fresh = kilo.Instance(name="vm", power="paused")
    await KILO.on("h1").call(kilo.ComputeAPI.reboot, api.context, fresh, twice=True)
    assert agent.done == [(juno.Instance(name="vm", power="on"), "", True)]
    assert counted("objects.backport", object="Instance", where="sender", peer="compute@h1") == before + 1


@pytest.mark.parametrize("given", [{}, {"hard": False}, {"note": "", "hard": False}])
async def test_a_pinned_out_argument_is_dropped_where_it_says_nothing(fleet: Fleet, given: dict[str, Any]) -> None:
    """An argument that equals its default is left out for a peer that does not have it."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    await KILO.call(kilo.ComputeAPI.reboot, api.context, kilo.Instance(name="vm"), **given)
    assert b"hard" not in api.transport.calls[0]
    assert agent.done == [(juno.Instance(name="vm"), "", False)]


async def test_a_pinned_out_argument_that_says_something_is_refused(fleet: Fleet) -> None:
    """PinnedOut names the argument, both versions and the way out; nothing is sent."""
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    with pytest.raises(PinnedOut) as caught:
        await KILO.call(kilo.ComputeAPI.reboot, api.context, kilo.Instance(name="vm"), hard=True)
    assert str(caught.value) == (
        "compute.reboot(hard=True) needs compute 4.0; the peer understands compute 3.35. "
        "Raise the pin once every peer is new enough, or do without it."
    )
    assert api.transport.calls == []


async def test_an_argument_of_which_the_older_form_knows_nothing_is_refused(fleet: Fleet) -> None:
    """What a revert does not take is PinnedOut, unless it equals its default."""
    await fleet.juno("h1")
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    instance = kilo.Instance(name="vm")
    assert await KILO.call(kilo.ComputeAPI.build_and_run, api.context, instance, "image-1", quiet=False) == "built 35"
    with pytest.raises(PinnedOut, match=r"compute\.build_and_run\(quiet=True\) needs compute 4\.0; .* compute 3\.35"):
        await KILO.call(kilo.ComputeAPI.build_and_run, api.context, instance, "image-1", quiet=True)


async def test_an_endpoint_that_is_too_new_is_pinned_out(fleet: Fleet) -> None:
    """An endpoint newer than the pin, and one that changed without a way back, name what they need."""
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = juno.contract.manifest
    with pytest.raises(PinnedOut, match=r"compute\.attach needs compute 4\.1; the peer understands compute 3\.35"):
        await KILO.call(kilo.ComputeAPI.attach, api.context, kilo.Volume())
    with pytest.raises(
        PinnedOut, match=r"compute\.resize, which changed in 4\.0 and has no revert, needs compute 4\.0"
    ):
        await KILO.call(kilo.ComputeAPI.resize, api.context, kilo.Instance(name="vm"), 7)
    assert api.transport.calls == []


async def test_a_peer_without_the_interface_is_pinned_out(fleet: Fleet) -> None:
    """A manifest that lacks the topic is as old as can be."""
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = kilo.contract.registry.manifest
    with pytest.raises(PinnedOut, match=r"compute\.echo needs compute 3\.0; the peer understands no compute"):
        await KILO.call(kilo.ComputeAPI.echo, api.context, "x")


async def test_a_caller_that_is_pinned_too_high_is_rejected_and_told_why(fleet: Fleet) -> None:
    """VersionRejected has sender, receiver, method, both versions and the pin epoch; both ends log the same facts."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    before = counted("rpc.rejected", sender="api@a1", method="compute.attach")
    with capture_logs() as logs, pytest.raises(VersionRejected) as caught:
        await KILO.on("h1").call(kilo.ComputeAPI.attach, api.context, kilo.Volume())
    assert str(caught.value) == (
        "compute@h1 (juno) serves compute 3.35 and cannot serve compute.attach of version 4.1, sent by api@a1 (kilo) "
        "(pin epoch 7). Suspect the sender's pin."
    )
    told = [entry for entry in logs if entry["event"] == "rpc.version_rejected"]
    assert [entry.pop("side") for entry in told] == ["receiver", "sender"]
    assert told[0] == told[1]
    assert told[0].items() >= {
        "sender": "api@a1", "sender_release": "kilo", "sender_member": "api-a1", "pin_epoch": "7",
        "receiver": "compute@h1", "receiver_release": "juno", "interface": "compute", "method": "compute.attach",
        "requested": "4.1", "understood": "3.35",
    }.items()  # fmt: skip
    assert agent.done == []
    assert counted("rpc.rejected", sender="api@a1", method="compute.attach") == before + 1


async def test_an_object_that_the_receiver_cannot_read_is_a_rejected_version(fleet: Fleet) -> None:
    """An Instance newer than the receiver, which a named backport separates, is rejected with both of its versions."""
    await fleet.juno("h1")
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = _only(juno, "compute", kilo, "Instance", "Image")
    with pytest.raises(VersionRejected) as caught:
        await KILO.call(kilo.ComputeAPI.reboot, api.context, kilo.Instance(name="vm"))
    assert str(caught.value).startswith(
        "compute@h1 (juno) serves Instance 1.16 and cannot serve compute.reboot(instance) of version 1.17, sent by api@"
    )


async def test_an_additive_object_is_read_by_an_older_receiver(fleet: Fleet) -> None:
    """The sender's manifest says from which version its Image may be read by skipping, so juno reads a 1.1."""
    agent, api = await fleet.juno("h1"), await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = _only(juno, "compute", kilo, "Instance", "Image")
    assert await KILO.call(kilo.ComputeAPI.use, api.context, kilo.Image(name="debian", format="qcow")) == "debian"
    assert agent.done == [juno.Image(name="debian")]


async def test_an_object_unknown_to_the_peer_is_not_sent(fleet: Fleet) -> None:
    """An object that the pinned release does not have raises CannotBackport at the sender."""
    api = await fleet.member(kilo, "a1")
    api.floors.pins["compute"] = _only(kilo, "compute", juno, "Instance", "Image")
    with pytest.raises(CannotBackport, match="Volume 1.0"):
        await KILO.call(kilo.ComputeAPI.attach, api.context, kilo.Volume())
    assert api.transport.calls == []


def _only(interfaces: Any, topic: str, objects: Any, *names: str) -> Any:
    """A manifest put together from two releases, as no operator should."""
    own, other = interfaces.contract.manifest, objects.contract.manifest
    return type(own)({topic: own[topic], **{name: other[name] for name in names}}, other.readable_from)
