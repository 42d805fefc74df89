"""What the printed configuration of NATS denies: an agent with a good credential of its own that goes bad.

The agent of host1 speaks to the broker by hand. Each denial is seen in the broker's own log, and by what arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from nats.aio.msg import Msg

from midflight import telemetry
from midflight.config import Credentials
from midflight.errors import BrokerUnreachable
from midflight.service import RunningService
from midflight.transports.base import Address, Identity, ParkedMessage
from midflight.transports.nats_connection import Connection
from midflight.transports.nats_store import API
from midflight.transports.nkey import new_seed
from tests.rights.cloud import COMPUTE, ComputeAPI, project
from tests.rights.conftest import Site
from tests.transports.recorder import eventually

ROGUE, VICTIM, CONDUCTOR, SENDER = (
    Identity(service, host)
    for service, host in (("compute", "host1"), ("compute", "host2"), ("conductor", "c1"), ("api", "a1"))
)


class ByHand:
    """A member's connection, with nothing of midflight's above it."""

    def __init__(self, site: Site, member: Identity) -> None:
        self.site, self.heard = site, list[Msg]()
        self.inbox = f"_INBOX.cloud.{member.service}.{member.host}"
        self.connection = Connection(site.urls[str(member)], "by-hand", site.credentials[str(member)], self.inbox)

    async def subscribe(self, subject: str, queue: str = "") -> None:
        await self.connection.subscribe(subject, self.heard.append, queue)
        await self.connection.flush()

    async def publish(self, subject: str, body: bytes = b"", reply: str = "") -> None:
        deadline = asyncio.get_running_loop().time() + 5
        await self.connection.publish(subject, body, deadline=deadline, reply=reply)
        await self.connection.flush()

    async def denied(self, what: str, subject: str, seen: int) -> None:
        """Wait until the broker has noted that it denied that."""
        await eventually(lambda: f"{what} Violation" in self.site.log()[seen:] and subject in self.site.log()[seen:])


@pytest.fixture
async def rogue(nats_site: Site) -> AsyncIterator[ByHand]:
    """The agent of host1."""
    rogue = ByHand(nats_site, ROGUE)
    await rogue.connection.open()
    yield rogue
    await rogue.connection.close()


@pytest.mark.parametrize("missing", ["certificate", "nkey"])
async def test_strangers_are_refused(nats_site: Site, tmp_path: Path, missing: str) -> None:
    """Without a certificate of ours, or with an nkey that nobody knows, there is no connection."""
    (tmp_path / "other.nkey").write_text(new_seed())
    known = nats_site.credentials[str(ROGUE)]
    shown = {
        "certificate": Credentials(ca=known.ca, nkey=known.nkey),
        "nkey": structs.replace(known, nkey=str(tmp_path / "other.nkey")),
    }
    with pytest.raises(BrokerUnreachable):
        await Connection(nats_site.urls[str(ROGUE)], "stranger", shown[missing]).open()


LISTENING = [
    (">", ""), ("mf.>", ""), ("mf.cloud.>", ""), ("mf.cloud.call.compute.>", ""), ("mf.cloud.call.compute.*.*.*", ""),
    ("mf.cloud.call.compute.host2.*.*", ""), ("mf.cloud.call.compute.host2.conductor.c1", ""),
    ("mf.cloud.call.compute.host2.*.*", "workers"), ("mf.cloud.call.compute.@any.*.*", ""),
    ("mf.cloud.call.compute.@any.*.*", "mine"), ("mf.cloud.call.conductor.@any.*.*", ""),
    ("mf.cloud.call.conductor.@any.*.*", "workers"), ("mf.cloud.call.member.compute.host2.*.*.*", ""),
    ("mf.cloud.call.member.*.*.*.*.*", ""), ("mf.cloud.all.>", ""), ("mf.cloud.all.conductor.*.*", ""),
    ("_INBOX.>", ""), ("_INBOX.cloud.>", ""), ("_INBOX.cloud.compute.host2.>", ""), ("_INBOX.cloud.conductor.c1.>", ""),
    ("mfc.cloud.>", ""), ("mfp.cloud.>", ""), ("mfb.cloud.>", ""), ("$SYS.>", ""), ("$JS.>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "queue"), LISTENING)
async def test_listening_to_others_is_denied(rogue: ByHand, subject: str, queue: str) -> None:
    """To everything, to another host, to the conductors and what members tell them, to inboxes, to what is stored, in
    place of others of a queue, and past the queue of a topic."""
    seen = len(rogue.site.log())
    await rogue.subscribe(subject, queue)
    await rogue.denied("Subscription", f'"{subject}"', seen)


SPEAKING = [
    "mf.cloud.call.conductor.@any.compute.host2", "mf.cloud.call.conductor.@any.conductor.c1",
    "mf.cloud.call.conductor.@any.operator.host1", "mf.cloud.call.compute.host2.conductor.c1",
    "mf.cloud.call.compute.host2.api.a1", "mf.cloud.call.compute.host2.compute.host1",
    "mf.cloud.call.compute.host2.compute.host2", "mf.cloud.call.compute.@any.compute.host1",
    "mf.cloud.call.member.compute.host2.1.compute.host1", "mf.cloud.call.member.conductor.c1.1.compute.host2",
    "mf.cloud.all.compute.compute.host1", "mf.cloud.all.compute.conductor.c1", "mf.cloud.all.member.compute.host1",
    "mf.cloud.all.member.conductor.c1", "_INBOX.cloud.compute.host2.1", "_INBOX.cloud.conductor.c1.1",
    "_INBOX.cloud.api.a1.by-hand.1", "mfc.cloud.compute.host2.compute.host1", "mfc.cloud.compute.host2.conductor.c1",
    "mfc.cloud.compute.@any.conductor.c1", "mfc.cloud.compute.host1.conductor.c1", "mfc.cloud.conductor.@any.api.a1",
    "mfp.cloud.compute.host2", "mfp.cloud.compute.host2.aa", "mfp.cloud.conductor.@any.aa",
    "mfb.cloud.compute.host2.aa.0", "$SYS.REQ.SERVER.PING", "$SYS.ACCOUNT.x.CLAIMS.UPDATE",
    f"{API}.STREAM.DELETE.MF_cloud", f"{API}.STREAM.PURGE.MF_cloud", f"{API}.STREAM.UPDATE.MF_cloud",
    f"{API}.STREAM.CREATE.MINE", f"{API}.STREAM.MSG.GET.MF_cloud", f"{API}.STREAM.MSG.DELETE.MF_cloud",
    f"{API}.DIRECT.GET.MF_cloud", f"{API}.DIRECT.GET.MF_cloud.mfc.cloud.compute.host2.conductor.c1",
    f"{API}.DIRECT.GET.MF_cloud_BODIES.mfb.cloud.compute.host2.aa.0",
    f"{API}.DIRECT.GET.MF_cloud_PARKED", f"{API}.DIRECT.GET.MF_cloud_PARKED.mfp.cloud.compute.host2.aa",
    f"{API}.DIRECT.GET.MF_cloud_PARKED.mfp.cloud.compute.*.*", f"{API}.DIRECT.GET.MF_cloud_PARKED.mfp.cloud.>",
    f"{API}.STREAM.MSG.GET.MF_cloud_PARKED", f"{API}.STREAM.MSG.DELETE.MF_cloud_PARKED",
    f"{API}.STREAM.PURGE.MF_cloud_PARKED", f"{API}.STREAM.UPDATE.MF_cloud_PARKED",
    f"{API}.CONSUMER.CREATE.MF_cloud_PARKED", f"{API}.CONSUMER.CREATE.MF_cloud_PARKED.mine",
    f"{API}.CONSUMER.CREATE.MF_cloud_PARKED.mine.mfp.cloud.compute.host2.*",
    f"{API}.CONSUMER.CREATE.MF_cloud_PARKED.mine.mfp.cloud.compute.*.*",
    f"{API}.CONSUMER.CREATE.MF_cloud_PARKED.mine.mfp.cloud.>", f"{API}.CONSUMER.DURABLE.CREATE.MF_cloud_PARKED.mine",
    f"{API}.CONSUMER.NAMES.MF_cloud_PARKED", f"{API}.CONSUMER.LIST.MF_cloud_PARKED",
    f"{API}.CONSUMER.MSG.NEXT.MF_cloud.compute@host2", f"{API}.CONSUMER.DELETE.MF_cloud.compute@host2",
    f"{API}.CONSUMER.CREATE.MF_cloud.mine.mfc.cloud.compute.host2.*.*", f"{API}.CONSUMER.CREATE.MF_cloud",
    f"{API}.CONSUMER.CREATE.MF_cloud.compute@host2.mfc.cloud.compute.host1.*.*",
    f"{API}.CONSUMER.CREATE.MF_cloud.compute@host1.mfc.cloud.compute.*.*.*",
    f"{API}.CONSUMER.DURABLE.CREATE.MF_cloud.mine", "$JS.ACK.MF_cloud.compute@host2.1.1.1.1.0",
]  # fmt: skip


@pytest.mark.parametrize("subject", SPEAKING)
async def test_speaking_for_others_or_where_one_has_no_business_is_denied(rogue: ByHand, subject: str) -> None:
    """As another host, the conductor or an operator; to another host, the topic, all, or inboxes; and what would
    take, keep back or delete what is stored for others."""
    seen = len(rogue.site.log())
    await rogue.publish(subject, b"forged", reply=f"{rogue.inbox}.1")
    await rogue.denied("Publish", f'"{subject}"', seen)


async def start(stack: AsyncExitStack, site: Site, *members: Identity) -> list[RunningService]:
    """Running members, until the end of the block."""
    running = [RunningService.running(project, site.config(who), who.service, who.host) for who in members]
    return [await stack.enter_async_context(each) for each in running]


async def test_no_call_to_another_host_is_seen(rogue: ByHand) -> None:
    """Whatever the rogue has tried to hear, of forty calls to another host it hears none, and all are answered."""
    async with AsyncExitStack() as stack:
        *_, api = await start(stack, rogue.site, CONDUCTOR, VICTIM, SENDER)
        for subject, queue in LISTENING:
            await rogue.subscribe(subject, queue)
        for number in range(40):
            answer = await COMPUTE.on("host2").call(ComputeAPI.reboot, api.context(), f"{number}")
            assert answer == f"{number} on host2"
    assert rogue.heard == []


async def test_answers_go_to_the_senders_own_inbox_only(nats_site: Site) -> None:
    """Who may call an agent cannot have it speak into another one's inbox: the agent refuses, and counts that."""
    api, conductor = ByHand(nats_site, SENDER), ByHand(nats_site, CONDUCTOR)
    for member in (api, conductor):
        await member.connection.open()
    await conductor.subscribe(f"{conductor.inbox}.wanted")
    async with AsyncExitStack() as stack:
        await start(stack, nats_site, Identity("conductor", "c2"), VICTIM)
        before = refused()
        await api.publish("mf.cloud.call.compute.host2.api.a1", b"x", reply=f"{conductor.inbox}.wanted")
        await eventually(lambda: refused() == before + 1)
    assert conductor.heard == []
    for member in (api, conductor):
        await member.connection.close()


def refused() -> int:
    """How many calls were refused since nobody knows who sent them."""
    found = [each for each in telemetry.counted() if each["name"] == "transport.refused" and each["kind"] == "call"]
    return sum(int(each["value"]) for each in found)


async def test_what_is_parked_for_another_host_is_out_of_reach(rogue: ByHand) -> None:
    """The rogue lists what is parked for its own host and for its topic, and nothing else, also where it asks for more
    by one of its own requests; what is parked for the other host stays there, and that one reads and discards it."""
    own, other, shared = Address("compute", "host1"), Address("compute", "host2"), Address("compute")
    async with AsyncExitStack() as stack:
        _, one, two = await start(stack, rogue.site, CONDUCTOR, ROGUE, VICTIM)
        for who, address in ((one, own), (two, other), (two, shared)):
            await who.transport.park(ParkedMessage(address, b"secret", "cast-1", {}))
        assert [len(await one.transport.parked(address)) for address in (own, shared)] == [1, 1]
        for forbidden in (
            one.transport.parked(other),
            one.transport.parked(),
            one.transport.find_parked(other, "cast-1"),
            one.transport.discard(other, "cast-1"),
        ):
            with pytest.raises(BrokerUnreachable, match="the broker does not let us publish"):
                await forbidden
        asked = f"{API}.CONSUMER.CREATE.MF_cloud_PARKED.mine.mfp.cloud.compute.host1.*"
        for more in (
            {"filter_subject": "mfp.cloud.compute.host2.*"}, {"filter_subjects": ["mfp.cloud.>"]},
            {"filter_subject": "mfp.cloud.compute.host1.*", "filter_subjects": ["mfp.cloud.>"]}, {},
        ):  # fmt: skip
            body = {"stream_name": "MF_cloud_PARKED", "config": {"name": "mine", "ack_policy": "none", **more}}
            answer = await rogue.connection.request(asked, msgspec.json.encode(body), 5)
            assert "error" in msgspec.json.decode(answer.data), more
        assert [message.body for message in await two.transport.parked(other)] == [b"secret"]
        assert await two.transport.discard(other, "cast-1")
        assert await one.transport.discard(own, "cast-1")
        assert await one.transport.discard(shared, "cast-1")


async def test_one_request_is_answered_a_bounded_number_of_times(rogue: ByHand) -> None:
    """Signs of life and the answer: a hundred messages reach the caller's inbox, and what comes after is denied."""
    conductor = ByHand(rogue.site, CONDUCTOR)
    await conductor.connection.open()
    await conductor.subscribe(f"{conductor.inbox}.call")
    await rogue.subscribe("mf.cloud.call.compute.host1.*.*")
    await conductor.publish("mf.cloud.call.compute.host1.conductor.c1", b"x", reply=f"{conductor.inbox}.call")
    await eventually(lambda: len(rogue.heard) == 1)
    seen = len(rogue.site.log())
    for _ in range(110):
        await rogue.publish(rogue.heard[0].reply, b"again")
    await rogue.denied("Publish", f"{conductor.inbox}.call", seen)
    await conductor.connection.flush()
    assert len(conductor.heard) == 100
    await conductor.connection.close()
