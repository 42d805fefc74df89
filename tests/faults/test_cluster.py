"""One of three servers is killed, or frozen, while the others live."""

from __future__ import annotations

import asyncio

import pytest

from midflight.transports.nats import NatsTransport
from midflight.transports.nats_store import Refused
from tests.faults.brokers import ThreeNats
from tests.faults.load import CALLS
from tests.faults.stage import Stage, on
from tests.transports.servers import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEEN_SECONDS = 1.7
"""Until so many calls have gone well that it is seen."""

LEFT_SECONDS = 5.0
"""Within which a frozen server is left, where another one lives."""


def cluster_of(stage: Stage) -> tuple[ThreeNats, NatsTransport]:
    """The servers, and the sender's way to them."""
    assert isinstance(stage.broker, ThreeNats)
    assert isinstance(stage.sender.transport, NatsTransport)
    return stage.broker, stage.sender.transport


async def leader(stage: Stage) -> NatsServer:
    """The server that leads the stream of casts, once all of its copies are up to date."""
    cluster, transport = cluster_of(stage)
    async with asyncio.timeout(60):
        while True:
            try:
                info = await transport._store.ask(f"STREAM.INFO.{transport._subjects.casts}")
            except (TimeoutError, Refused):
                continue
            replicas = info["cluster"].get("replicas", ())
            if len(replicas) == 2 and all(replica["current"] for replica in replicas):
                return cluster.servers[int(info["cluster"]["leader"][1:])]
            await asyncio.sleep(0.1)


async def killed(stage: Stage, name: str, server: NatsServer) -> None:
    cluster, _ = cluster_of(stage)
    async with stage.case(name) as case:
        server.kill()
        await cluster.ready(server)
        await case.mended()
        await server.start()
    assert case.counts.wrong() == {}


@on("cluster")
async def test_leader_killed(stage: Stage) -> None:
    """The server that leads the stream of casts is killed, and stays away: the others go on."""
    await killed(stage, "stream leader killed", await leader(stage))


@on("cluster")
async def test_node_killed(stage: Stage) -> None:
    """A server that does not lead the stream is killed, and stays away."""
    lead, (cluster, _) = await leader(stage), cluster_of(stage)
    await killed(stage, "node killed", next(server for server in cluster.servers if server is not lead))


@on("cluster", "cluster-tls")
async def test_node_frozen(stage: Stage) -> None:
    """The server at which the sender is freezes: calls go by another one in time, behind TLS too, and casts as soon as
    the others have agreed who leads."""
    await leader(stage)
    cluster, transport = cluster_of(stage)
    server = cluster.at(transport._connection._client.netloc)
    async with stage.case("node frozen") as case:
        server.freeze()
        left = await case.flows(*CALLS)
        await cluster.ready(server)
        await case.mended()
        server.thaw()
    assert case.counts.wrong() == {}
    assert left < LEFT_SECONDS * case.counts.stretch + SEEN_SECONDS
