"""What the printed configuration of RabbitMQ denies: an agent with a good password of its own that goes bad.

The agent of host1 speaks to the broker by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiormq
import pytest
from aiormq import spec
from aiormq.abc import DeliveredMessage

from midflight import telemetry
from midflight.errors import BrokerUnreachable
from midflight.service import RunningService
from midflight.transports import connect
from midflight.transports.base import Address, Identity, ParkedMessage
from tests.rights.cloud import COMPUTE, ComputeAPI, project
from tests.rights.conftest import Site
from tests.transports.recorder import eventually

ROGUE, VICTIM, CONDUCTOR, SENDER = (
    Identity(service, host)
    for service, host in (("compute", "host1"), ("compute", "host2"), ("conductor", "c1"), ("api", "a1"))
)
OWN, EXCHANGE, LATER = "mf.cloud.own.compute.host1.mine", "mf.cloud", "mf.cloud.later"


@pytest.fixture
async def rogue(rabbit_site: Site) -> AsyncIterator[aiormq.abc.AbstractChannel]:
    """A channel of the agent of host1, with a queue of its own."""
    connection = await aiormq.connect(rabbit_site.urls[str(ROGUE)])
    channel = await connection.channel()
    await channel.queue_declare(OWN, exclusive=True)
    yield channel if not channel.is_closed else await connection.channel()
    await connection.close()


async def test_a_wrong_password_is_refused(rabbit_site: Site) -> None:
    """There is no connection."""
    url = rabbit_site.urls[str(VICTIM)].replace("compute.host2", "compute.host1")
    with pytest.raises(BrokerUnreachable):
        await connect(url, name="rogue", project="cloud", identity=ROGUE).open()


async def refused(operation: Any) -> None:
    """The broker says no, by the right of who asks."""
    with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
        await asyncio.wait_for(operation, 60)


@pytest.mark.parametrize(
    "queue",
    [
        "mf.cloud.call.compute.host2", "mf.cloud.cast.compute.host2", "mf.cloud.call.conductor",
        "mf.cloud.call.conductor.c1", "mf.cloud.cast.conductor", "mf.cloud.cast.conductor.c1", "mf.cloud.later.100",
        "mf.cloud.parked.compute.host2", "mf.cloud.parked.conductor", "mf.cloud.parked.conductor.c1", "mf.cloud.places",
    ],
)  # fmt: skip
async def test_consuming_from_others_is_refused(
    rabbit_site: Site, rogue: aiormq.abc.AbstractChannel, queue: str
) -> None:
    """From another host's queues, the conductors', and those where casts wait for another try."""
    async with AsyncExitStack() as stack:
        await start(stack, rabbit_site, CONDUCTOR, VICTIM)
        await refused(rogue.basic_consume(queue, _nothing))


async def test_consuming_answers_to_others_is_refused(rabbit_site: Site, rogue: aiormq.abc.AbstractChannel) -> None:
    """From the queue in which a conductor gets its answers."""
    async with AsyncExitStack() as stack:
        (conductor,) = await start(stack, rabbit_site, CONDUCTOR)
        queue = conductor.transport._replies._queue.name  # type: ignore[attr-defined]  # of RabbitMQ
        assert queue.startswith("mf.cloud.own.conductor.c1.")
        await refused(rogue.basic_consume(queue, _nothing))


@pytest.mark.parametrize(
    "key",
    [
        "#", "mf.cloud.#", "mf.cloud.call.#", "mf.cloud.call.compute.*", "mf.cloud.call.compute.host2",
        "mf.cloud.own.#",
        "mf.cloud.own.conductor.c1.x.y", "mf.cloud.call.conductor", "mf.cloud.cast.compute",
        "mf.cloud.cast.compute.host2",
        "*.mf.cloud.cast.compute.host2", "mf.cloud.call.member.compute.host2.1",
        "mf.cloud.places", "mf.cloud.parked.compute.host2", "mf.cloud.parked.#",
    ],
)  # fmt: skip
async def test_binding_to_what_goes_to_others_is_refused(rogue: aiormq.abc.AbstractChannel, key: str) -> None:
    """A queue of its own to keys that are not its own, so that it would get copies."""
    await refused(rogue.queue_bind(OWN, EXCHANGE, key))


@pytest.mark.parametrize("exchange", ["mf.cloud.later", "mf.cloud.all.conductor", "amq.topic", "amq.rabbitmq.trace"])
async def test_binding_to_other_exchanges_is_refused(rogue: aiormq.abc.AbstractChannel, exchange: str) -> None:
    """Where others are told, casts wait, or the broker itself tells."""
    await refused(rogue.queue_bind(OWN, exchange, "#"))


SENDING = [
    (EXCHANGE, "mf.cloud.call.compute.host2"), (EXCHANGE, "mf.cloud.call.compute"),
    (EXCHANGE, "mf.cloud.call.compute.host1"), (EXCHANGE, "mf.cloud.cast.compute.host2"),
    (EXCHANGE, "mf.cloud.call.member.compute.host2.1"), (EXCHANGE, "mf.cloud.own.compute.host2.x.y"),
    (EXCHANGE, "800.mf.cloud.cast.compute.host2"), (EXCHANGE, "mf.cloud.call.conductor.c1.x"),
    (LATER, "100.mf.cloud.cast.compute.host2"), (LATER, "100.mf.cloud.call.compute.host2"),
    (LATER, "100.100.mf.cloud.cast.compute.host1"), ("mf.cloud.all.compute", ""), ("mf.cloud.all.member", ""),
    (EXCHANGE, "mf.cloud.parked.compute.host2"), ("", "mf.cloud.parked.compute.host2"),
    ("", "mf.cloud.call.compute.host2"), ("", "mf.cloud.cast.compute.host2"), ("", "mf.cloud.call.conductor"),
    ("amq.fanout", ""),
]  # fmt: skip


@pytest.mark.parametrize(("exchange", "key"), SENDING)
async def test_sending_where_it_has_no_business_is_refused(
    rogue: aiormq.abc.AbstractChannel, exchange: str, key: str
) -> None:
    """To another host, to the topic, to all, into others' answers, round by a delay, and straight into a queue."""
    properties = spec.Basic.Properties(user_id="compute.host1")
    await refused(rogue.basic_publish(b"forged", exchange=exchange, routing_key=key, properties=properties))


@pytest.mark.parametrize("user", ["conductor.c1", "compute.host2", "operator.host1"])
async def test_a_forged_sender_is_refused(rogue: aiormq.abc.AbstractChannel, user: str) -> None:
    """The broker checks it, where the message may go as well."""
    properties = spec.Basic.Properties(user_id=user)
    with pytest.raises(aiormq.exceptions.ChannelPreconditionFailed):
        await rogue.basic_publish(
            b"forged", exchange=EXCHANGE, routing_key="mf.cloud.call.conductor", properties=properties
        )


async def test_a_message_of_nobody_is_not_served(rabbit_site: Site, rogue: aiormq.abc.AbstractChannel) -> None:
    """Without the user that the broker checks, a call to the conductors is counted, whatever else it says of itself."""
    async with AsyncExitStack() as stack:
        await start(stack, rabbit_site, CONDUCTOR)
        for properties in (spec.Basic.Properties(), spec.Basic.Properties(app_id="conductor.c1", reply_to=OWN)):
            before = counted()
            await rogue.basic_publish(
                b"forged", exchange=EXCHANGE, routing_key="mf.cloud.call.conductor", properties=properties
            )
            await eventually(lambda: counted() == before + 1)  # noqa: B023  # awaited before the next one


async def test_answers_go_to_the_senders_own_queue_only(rabbit_site: Site) -> None:
    """Who may call an agent cannot have it speak into another one's queue: the agent refuses, and counts that."""
    connection = await aiormq.connect(rabbit_site.urls[str(SENDER)])
    channel = await connection.channel()
    async with AsyncExitStack() as stack:
        conductor, _ = await start(stack, rabbit_site, CONDUCTOR, VICTIM)
        queue, before = conductor.transport._replies._queue.name, counted()  # type: ignore[attr-defined]  # of RabbitMQ
        properties = spec.Basic.Properties(user_id="api.a1", reply_to=queue)
        await channel.basic_publish(
            b"x", exchange=EXCHANGE, routing_key="mf.cloud.call.compute.host2", properties=properties
        )
        await eventually(lambda: counted() == before + 1)
    await connection.close()


@pytest.mark.parametrize(
    "queue",
    [
        "mf.cloud.call.compute.host2", "mf.cloud.cast.compute.host2", "mf.cloud.cast.compute",
        "mf.cloud.cast.conductor",
        "mf.cloud.own.compute.host2.x", "mf.cloud.call.member.compute.host2.1", "anything",
        "mf.cloud.parked.compute.host2", "mf.cloud.parked.compute.host1", "mf.cloud.parked.compute", "mf.cloud.places",
        "mf.cloud.reader.parked.compute.host2", "mf.cloud.reader.places",
    ],
)  # fmt: skip
async def test_making_and_deleting_others_queues_is_refused(
    rabbit_site: Site, rogue: aiormq.abc.AbstractChannel, queue: str
) -> None:
    """It would hear what goes there, or take away what waits there."""
    await refused(rogue.queue_declare(queue, durable=True))
    other = await rogue.connection.channel()
    await refused(other.queue_delete(queue))


async def test_what_is_parked_for_another_host_is_out_of_reach(
    rabbit_site: Site, rogue: aiormq.abc.AbstractChannel
) -> None:
    """The agent lists what is parked for its own host and for its topic, and nothing else; what is parked for the other
    host can be neither taken nor thrown away, and that one reads and discards it."""
    own, other, shared = Address("compute", "host1"), Address("compute", "host2"), Address("compute")
    async with AsyncExitStack() as stack:
        _, one, two = await start(stack, rabbit_site, CONDUCTOR, ROGUE, VICTIM)
        for who, address in ((one, own), (two, other), (two, shared)):
            await who.transport.park(ParkedMessage(address, b"secret", "cast-1", {}))
        assert [len(await one.transport.parked(address)) for address in (own, shared)] == [1, 1]
        for forbidden in (
            one.transport.parked(other),
            one.transport.parked(),
            one.transport.find_parked(other, "cast-1"),
            one.transport.discard(other, "cast-1"),
        ):
            with pytest.raises(BrokerUnreachable, match="ACCESS_REFUSED"):
                await forbidden
        await refused(rogue.basic_get("mf.cloud.parked.compute.host2"))
        await refused((await rogue.connection.channel()).queue_purge("mf.cloud.parked.compute.host2"))
        assert [message.body for message in await two.transport.parked(other)] == [b"secret"]
        assert await two.transport.discard(other, "cast-1")
        assert await one.transport.discard(own, "cast-1")
        assert await one.transport.discard(shared, "cast-1")


async def test_deleting_an_exchange_is_refused(rogue: aiormq.abc.AbstractChannel) -> None:
    """Nobody could speak any more."""
    await refused(rogue.exchange_delete(EXCHANGE))


async def test_no_call_to_another_host_is_seen(rabbit_site: Site, rogue: aiormq.abc.AbstractChannel) -> None:
    """Of forty calls to another host the rogue's own queue gets none, and all are answered."""
    async with AsyncExitStack() as stack:
        *_, api = await start(stack, rabbit_site, CONDUCTOR, VICTIM, SENDER)
        for number in range(40):
            answer = await COMPUTE.on("host2").call(ComputeAPI.reboot, api.context(), f"{number}")
            assert answer == f"{number} on host2"
    assert (await rogue.queue_declare(OWN, passive=True)).message_count == 0


async def test_what_is_its_own_is_granted(rogue: aiormq.abc.AbstractChannel) -> None:
    """The same connection may make its own queues, listen to them, and call a conductor: nothing above was refused for
    another reason."""
    for name in ("mf.cloud.call.compute.host1", "mf.cloud.call.compute"):
        settings = {"durable": True, "auto_delete": True, "arguments": {"x-expires": 10_000}}
        await rogue.queue_declare(name, **settings)  # type: ignore[arg-type]  # as the library takes them
        await rogue.queue_bind(name, EXCHANGE, name)
        await rogue.basic_consume(name, _nothing)
    await rogue.queue_bind(OWN, EXCHANGE, OWN)
    properties = spec.Basic.Properties(user_id="compute.host1")
    await rogue.basic_publish(b"", exchange=EXCHANGE, routing_key="mf.cloud.call.conductor", properties=properties)


async def test_a_cast_without_an_id_is_parked_under_a_name(
    rabbit_site: Site, rogue: aiormq.abc.AbstractChannel
) -> None:
    """An agent may send to itself. What it sends by hand, without an id, is parked so that it can be discarded."""
    properties, shared = spec.Basic.Properties(user_id="compute.host1"), Address("compute")
    async with AsyncExitStack() as stack:
        _, one = await start(stack, rabbit_site, CONDUCTOR, ROGUE)
        key = "100.mf.cloud.cast.compute.host1"
        await rogue.basic_publish(b"", exchange=LATER, routing_key=key, properties=properties)
        async with asyncio.timeout(60):
            while not (parked := await one.transport.parked(shared)):
                await asyncio.sleep(0.05)
        assert [message.message_id[:9] for message in parked] == ["nameless-"]
        assert await one.transport.discard(shared, parked[0].message_id)


async def start(stack: AsyncExitStack, site: Site, *members: Identity) -> list[RunningService]:
    """Running members, until the end of the block."""
    running = [RunningService.running(project, site.config(who), who.service, who.host) for who in members]
    return [await stack.enter_async_context(each) for each in running]


async def _nothing(message: DeliveredMessage) -> None:
    raise AssertionError(message.body)


def counted() -> int:
    """How many calls were refused since nobody knows who sent them."""
    found = [each for each in telemetry.counted() if each["name"] == "transport.refused" and each["kind"] == "call"]
    return sum(int(each["value"]) for each in found)
