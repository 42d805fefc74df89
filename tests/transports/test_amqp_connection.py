"""How members come back to a RabbitMQ broker that was away, or has too many of them at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from midflight.config import ANONYMOUS
from midflight.transports import amqp_link
from midflight.transports.amqp_access import Access
from midflight.transports.amqp_connection import LONGEST_PAUSE, PAUSE_SECONDS, Connection, Pauses
from midflight.transports.amqp_link import CONNECT_SECONDS
from tests.transports.rabbit import Rabbit
from tests.transports.recorder import eventually
from tests.transports.relay import Relay

MEMBERS = 200


def test_only_an_attempt_that_ran_into_its_time_makes_the_pause_longer() -> None:
    """Who is refused asks again soon, however often; who is not got to in time doubles the pause, up to a bound; and
    once refused again begins anew."""
    pauses = Pauses()
    assert max(pauses.after(overrun=False) for _ in range(100)) <= 1.5 * PAUSE_SECONDS
    grown = [pauses.after(overrun=True) for _ in range(20)]
    for number, pause in enumerate(grown, 1):
        mean = min(PAUSE_SECONDS * 2**number, LONGEST_PAUSE)
        assert 0.5 * mean <= pause <= 1.5 * mean
    assert pauses.after(overrun=False) <= 1.5 * PAUSE_SECONDS


def test_200_members_do_not_come_back_in_step_nor_too_often() -> None:
    """Of 200 members that a broker does not get to, fewer and fewer ask at once, and not one gives up."""
    random.seed(200)
    attempts = [_attempts(seconds=60) for _ in range(MEMBERS)]
    late = [at for each in attempts for at in each if at >= 30]
    assert all(any(at >= 60 - CONNECT_SECONDS - 1.5 * LONGEST_PAUSE for at in each) for each in attempts)
    assert len(late) < MEMBERS * 30 / (CONNECT_SECONDS + PAUSE_SECONDS) / 2
    assert max(Counter(int(at) for at in late).values()) < MEMBERS / 3


def _attempts(seconds: float) -> list[float]:
    """When one member begins its attempts, each of which runs into its time."""
    pauses, now, begun = Pauses(), 0.0, list[float]()
    while now < seconds:
        begun.append(now)
        now += CONNECT_SECONDS + pauses.after(overrun=True)
    return begun


class Silent(asyncio.Protocol):
    """Of a broker that has too many connections: it takes one more, and does not get to it."""


async def test_a_member_knows_a_refusal_from_a_broker_that_has_no_time(
    rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody listens, no attempt has run into its time; where somebody does and says nothing, each one has."""
    told: list[bool] = []

    def after(_: Pauses, *, overrun: bool) -> float:
        told.append(overrun)
        return 0.01

    monkeypatch.setattr(Pauses, "after", after)
    relay = await Relay(int(rabbit.url.rpartition(":")[2].rstrip("/"))).start()
    port = int(relay.netloc.rpartition(":")[2])
    connection = Connection(Access.to(f"amqp://guest:guest@{relay.netloc}/", ANONYMOUS), "member", 30.0)
    await connection.open()
    try:
        await relay.stop()
        await eventually(lambda: len(told) >= 5)
        assert not any(told)
        monkeypatch.setattr(amqp_link, "CONNECT_SECONDS", 0.05)
        async with await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", port):
            seen = len(told) + 1  # one may have been refused just before
            await eventually(lambda: len(told) >= seen + 3)
            assert all(told[seen:])
            await connection.close()
    finally:
        await connection.close()
