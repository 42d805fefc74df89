"""A fleet whose members are connected by one of the adapters: each contract test runs once with each."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Generic, TypeVar

import pytest

from midflight.transports.base import Transport
from midflight.transports.embedded import EmbeddedBroker
from midflight.transports.memory import MemoryBus, MemoryTransport
from midflight.transports.nats import NatsTransport

ACK_WAIT = 1.0
"""Seconds: short, so that what a killed listener had in hand comes again while a test waits for it."""


Member = TypeVar("Member", bound=Transport)


class Fleet(Generic[Member]):
    """Members that can reach each other, and nobody else."""

    def __init__(self, member: Callable[..., Member]) -> None:
        self._member = member
        self._members: list[Member] = []

    async def join(self, ack_wait: float = ACK_WAIT) -> Member:
        """One more member, connected."""
        member = await self._member(ack_wait=ack_wait).open()
        self._members.append(member)
        return member

    async def close(self) -> None:
        """All members leave, if they are still there."""
        for member in self._members:
            await member.close()


@pytest.fixture(params=["memory", "nats"])
def member(request: pytest.FixtureRequest) -> Callable[..., Transport]:
    """Makes members on one bus, or on one broker."""
    return on_broker(request.getfixturevalue("broker")) if request.param == "nats" else on_bus()


@pytest.fixture
async def fleet(member: Callable[..., Transport]) -> AsyncIterator[Fleet[Transport]]:
    """A fleet without members yet."""
    fleet = Fleet(member)
    yield fleet
    await fleet.close()


def on_bus() -> Callable[..., Transport]:
    """Makes members of a bus that nobody else has."""
    return partial(MemoryTransport, MemoryBus(), ack_wait=ACK_WAIT)


def on_broker(broker: EmbeddedBroker) -> Callable[..., NatsTransport]:
    """Makes members of a project that nobody else has."""
    return partial(NatsTransport, broker.url, name="member", project=f"test-{secrets.token_hex(4)}", ack_wait=ACK_WAIT)
