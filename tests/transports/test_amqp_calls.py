"""What is true of calls over RabbitMQ alone: peers from before signs of life, and what signs look like."""

from __future__ import annotations

import asyncio

import pytest
from aiormq import spec
from aiormq.abc import DeliveredMessage

from midflight.transports import signs
from midflight.transports.amqp import AmqpListener
from midflight.transports.amqp_signs import CANCEL, HOST, PAUSE, SIGN, sign_in, sign_of_life
from midflight.transports.base import Address, NoAnswer
from tests.transports.conftest import Fleet, on_rabbit
from tests.transports.rabbit import Rabbit
from tests.transports.recorder import Gated, eventually

HOST1 = Address("compute", "host1")


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life more often, so that tests need not wait for long."""
    monkeypatch.setattr(signs, "SIGN_SECONDS", 0.4)
    monkeypatch.setattr(signs, "FIRST_SECONDS", 0.02)


async def test_an_old_caller_hears_nothing_but_its_answer(rabbit: Rabbit) -> None:
    """A caller that names its call by a number knows no signs of life, and is given none."""
    fleet, agent = Fleet(on_rabbit(rabbit)), Gated()
    await agent.listen(await fleet.join(), "compute", "host1")
    old = await fleet.join()
    heard: list[DeliveredMessage] = []
    old._replies._subscription._callback = heard.append
    asked = spec.Basic.Properties(reply_to=old._replies._queue.name, correlation_id="7")
    deadline = asyncio.get_running_loop().time() + 60
    assert await old._outbox.send(old._queues.names.call(HOST1), b"long", asked, deadline)
    await eventually(lambda: agent.running == 1)
    await asyncio.sleep(3 * signs.SIGN_SECONDS)
    agent.gate.set()
    await eventually(lambda: len(heard) == 1)
    assert (heard[0].body, heard[0].header.properties.correlation_id) == (b"gated:long", "7")
    await fleet.close()


async def test_an_old_callee_is_waited_for_and_is_sent_no_cancellation(rabbit: Rabbit) -> None:
    """Who has never given a sign of life cannot be missed; and what it would take for a broken call is not sent."""
    fleet, agent = Fleet(on_rabbit(rabbit)), Gated()
    listener = await agent.listen(await fleet.join(), "compute", "host1")
    assert isinstance(listener, AmqpListener)
    listener._calls.take = lambda name, work, give: listener._hands.take(work)  # type: ignore[assignment,misc,return-value]  # as it was
    caller = await fleet.join()
    call = asyncio.create_task(caller.call(HOST1, b"long", timeout=60))
    with pytest.raises(NoAnswer) as caught:
        await caller.call(HOST1, b"never", timeout=3)
    assert agent.running == 2
    assert type(caught.value) is NoAnswer
    await asyncio.sleep(3 * signs.SIGN_SECONDS)
    agent.gate.set()
    assert await call == b"gated:long"
    assert (sorted(agent.calls), agent.cancelled) == ([b"long", b"never"], 0)
    assert len(caller._replies._calls) == 0
    await fleet.close()


async def test_cancelling_what_is_not_in_hand_does_no_harm(rabbit: Rabbit) -> None:
    """A cancellation for an unknown call, and one without a name, are passed over, and are no call."""
    fleet, agent = Fleet(on_rabbit(rabbit)), Gated()
    agent.gate.set()
    await agent.listen(await fleet.join(), "compute", "host1")
    caller = await fleet.join()
    deadline = asyncio.get_running_loop().time() + 60
    for name in (None, "unknown-now"):
        properties = spec.Basic.Properties(message_type=CANCEL, correlation_id=name)
        await caller._outbox.send(caller._queues.names.call(HOST1), b"", properties, deadline)
    assert await caller.call(HOST1, b"call", timeout=5) == b"gated:call"
    assert agent.calls == [b"call"]
    await fleet.close()


def test_what_a_sign_says() -> None:
    """Host and pause, unread, and nothing in any other message."""
    assert sign_in(_message(sign_of_life("name", "host1", 2.0))) == ("host1", "2.000")
    assert sign_in(_message(sign_of_life("name", None, 2.0))) == ("", "2.000")
    assert sign_in(_message(spec.Basic.Properties(message_type=SIGN))) == ("", "")
    assert sign_in(_message(spec.Basic.Properties(message_type=SIGN, headers={HOST: 7, PAUSE: None}))) == ("7", "None")
    assert sign_in(_message(spec.Basic.Properties(message_type=CANCEL))) is None
    assert sign_in(_message(spec.Basic.Properties())) is None


def _message(properties: spec.Basic.Properties) -> DeliveredMessage:
    header = type("Header", (), {"properties": properties})()
    return DeliveredMessage(spec.Basic.Deliver(), header, b"", None)  # type: ignore[arg-type]  # of no channel
