"""A fleet whose members are connected by one of the adapters: each contract test runs once with each."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

import pytest
from msgspec import structs
from nats.aio.msg import Msg

from midflight.config import ANONYMOUS
from midflight.transports import amqp_outbox
from midflight.transports.amqp import AmqpTransport
from midflight.transports.base import Transport
from midflight.transports.embedded import EmbeddedBroker
from midflight.transports.memory import MemoryBus, MemoryTransport
from midflight.transports.nats import NatsListener, NatsTransport
from midflight.transports.nats_connection import Connection, NotTaken
from tests.transports.certificates import Authority
from tests.transports.certificates import secured as secured_by
from tests.transports.rabbit import Rabbit
from tests.transports.recorder import MEMBER, PATIENCE
from tests.transports.servers import Cluster, NatsServer

ACK_WAIT = 1.0
"""Seconds: short, so that what a killed listener had in hand comes again while a test waits for it."""


Member = TypeVar("Member", bound=Transport)


class Fleet(Generic[Member]):
    """Members that can reach each other, and nobody else."""

    def __init__(self, member: Callable[..., Member]) -> None:
        self._member = member
        self._members: list[Member] = []

    async def join(self, ack_wait: float = ACK_WAIT, **more: Any) -> Member:
        """One more member, connected."""
        member = await self._member(ack_wait=ack_wait, **more).open()
        self._members.append(member)
        return member

    async def close(self) -> None:
        """All members leave, if they are still there."""
        for member in self._members:
            await member.close()


@pytest.fixture(params=["memory", "broker", "cluster", "secured", "rabbit"])
def member(request: pytest.FixtureRequest) -> Callable[..., Transport]:
    """Makes members on one bus, or on one broker."""
    if request.param == "memory":
        return on_bus()
    broker = request.getfixturevalue(request.param)
    if request.param == "rabbit":
        return on_rabbit(broker)
    return on_broker(broker, partial(NatsWithWord, broker)) if request.param == "cluster" else on_broker(broker)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three running servers that all tests share, each under a project name of its own."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    asyncio.run(cluster.start())
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A running server that wants to see a certificate and an nkey, shared likewise."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    nkey = authority.nkey("member")
    member = structs.replace(authority.issue("member"), nkey=nkey)
    configuration = secured_by(authority.issue("server"), nkey)
    server = NatsServer(tmp_path_factory.mktemp("secured"), configuration, "tls", member)
    asyncio.run(server.start())
    yield server
    server.close()


@pytest.fixture(autouse=True)
def ripe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new queue is good for use at once: where a test kills its broker, it waits by itself."""
    monkeypatch.setattr(amqp_outbox, "RIPE_SECONDS", 0.0)


@pytest.fixture
async def fleet(member: Callable[..., Transport]) -> AsyncIterator[Fleet[Transport]]:
    """A fleet without members yet."""
    fleet = Fleet(member)
    yield fleet
    await fleet.close()


def on_bus() -> Callable[..., Transport]:
    """Makes members of a bus that nobody else has."""
    return partial(MemoryTransport, MemoryBus(), identity=MEMBER, ack_wait=ACK_WAIT)


class NatsWithWord(NatsTransport):
    """A member of a cluster that listens as soon as all servers have word of it. Until then, some milliseconds later,
    a call by way of another server finds nobody, and a fanout goes past it: callers bear that, these tests do not."""

    def __init__(self, cluster: Cluster, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cluster = cluster

    async def listen(self, *args: Any, **kwargs: Any) -> NatsListener:
        """Listen; returns when a subscription that was made after the listener's is known everywhere."""
        listener = await super().listen(*args, **kwargs)
        behind = f"{self._connection.new_inbox()}.word"  # not of the inbox itself, which all servers know already
        interest = await self._connection.subscribe(behind, self._here)
        await asyncio.gather(*(self._known_at(server, behind) for server in self._cluster.servers))
        await self._connection.withdraw(interest)
        return listener

    def _here(self, message: Msg) -> None:
        self._connection._client.send(message.reply, b"here", "", at_once=True)

    async def _known_at(self, server: NatsServer, subject: str) -> None:
        asking = Connection(server.url, "asking")
        await asking.open()
        async with asyncio.timeout(PATIENCE):
            while not await self._is_known(asking, subject):
                await asyncio.sleep(0.002)
        await asking.close()

    async def _is_known(self, asking: Connection, subject: str) -> bool:
        try:
            return (await asking.request(subject, b"", PATIENCE)).data == b"here"
        except NotTaken:
            return False


def on_broker(
    broker: EmbeddedBroker | NatsServer | Cluster, kind: Callable[..., NatsTransport] = NatsTransport
) -> Callable[..., NatsTransport]:
    """Makes members of a project that nobody else has."""
    project, credentials = f"test-{secrets.token_hex(4)}", getattr(broker, "credentials", ANONYMOUS)
    return partial(
        kind, broker.url, name="member", project=project, identity=MEMBER, credentials=credentials,
        ack_wait=ACK_WAIT,
    )  # fmt: skip


def on_rabbit(rabbit: Rabbit) -> Callable[..., AmqpTransport]:
    """Makes members of a project that nobody else has."""
    project = f"test-{secrets.token_hex(4)}"
    return partial(AmqpTransport, rabbit.url, name="member", project=project, identity=MEMBER, ack_wait=ACK_WAIT)
