"""A fleet that gets another host: the configuration is printed again, and the broker takes it over while it works."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from midflight.conductor.grants import Grants
from midflight.config import Credentials
from midflight.errors import BrokerUnreachable
from midflight.transports.base import Identity
from midflight.transports.nats import NatsTransport
from midflight.transports.nats_rights import nats_text
from midflight.transports.nkey import new_seed, public_of
from tests.rights.cloud import project
from tests.transports.recorder import eventually
from tests.transports.servers import NatsServer

CONDUCTOR, ONE, TWO = Identity("conductor", "c1"), Identity("compute", "host1"), Identity("compute", "host2")


async def test_a_host_is_added_while_the_server_works(tmp_path: Path) -> None:
    """A reload lets the new agent in, and those who were connected stay so."""
    seeds = {member: new_seed() for member in (CONDUCTOR, ONE, TWO)}
    for member, seed in seeds.items():
        (tmp_path / str(member)).write_text(seed)

    def text(*members: Identity) -> str:
        keys = {str(member): public_of(seeds[member]) for member in members}
        return nats_text("cloud", Grants(project).of(members), keys)

    async def join(member: Identity) -> NatsTransport:
        credentials = Credentials(nkey=str(tmp_path / str(member)))
        return await NatsTransport(
            server.url, name="member", project="cloud", identity=member, credentials=credentials
        ).open()

    server = await NatsServer(tmp_path / "server", text(CONDUCTOR, ONE)).start()
    conductor, one = await join(CONDUCTOR), await join(ONE)
    with pytest.raises(BrokerUnreachable):
        await join(TWO)
    configuration, log = tmp_path / "server" / "server.conf", tmp_path / "server" / "server.log"
    configuration.write_text(configuration.read_text().replace(text(CONDUCTOR, ONE), text(CONDUCTOR, ONE, TWO)))
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGHUP)
    await eventually(lambda: "Reloaded server configuration" in log.read_text())
    two = await join(TWO)
    assert conductor._connection._client.is_connected
    assert one._connection._client.is_connected
    for member in (two, one, conductor):
        await member.close()
    server.close()
