import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from house.sleeper.checks.connections import Connections, parsed
from house.sleeper.system import Unclear
from tests.sleeper.machine import FakeMachine


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket, int]]:
    """A client and a server that talk on some port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, _ = listening.accept()
            with server:
                yield client, server, port


async def moved(client: socket.socket, server: socket.socket, size: int) -> None:
    """Send that much, until the kernel has counted it on both sides."""
    client.sendall(b"x" * size)
    assert len(await asyncio.to_thread(server.recv, size, socket.MSG_WAITALL)) == size


async def test_a_connection_is_busy_while_it_is_new_or_moves_bytes(machine: FakeMachine) -> None:
    """Real connections, as ss sees them: one that moves nothing is idle, unless any is to count; other ports do not."""
    with connected() as (client, server, port):
        check, strict = Connections([port]), Connections([port], open_is_busy=True)
        for each in (check, strict):
            assert "since a moment ago" in (await each.look(machine.system) or "")
        machine.clock.pass_(seconds=30)
        assert await check.look(machine.system) is None
        assert (await strict.look(machine.system) or "").endswith(f"is connected to port {port}")
        assert await Connections([port + 1]).look(machine.system) is None
        await moved(client, server, 60_000)
        machine.clock.pass_(seconds=30)
        assert (await check.look(machine.system) or "").endswith("moves 2000 bytes/s")
    assert await check.look(machine.system) is None


def test_what_is_no_connection_is_refused() -> None:
    """Both families are read; a line that is something else is told, and not passed over."""
    (four, six) = parsed(
        "0 0 10.0.0.2:22 10.0.0.9:5000 cubic bytes_sent:10 bytes_acked:11 bytes_received:3\n"
        "0 0 [fd00::2]:22 [fd00::9]:5000 cubic\n"
    )
    assert (four.port, four.moved, six.port, six.moved) == (22, 13, 22, 0)
    with pytest.raises(Unclear, match="ss wrote 'Error: x', expected a connection"):
        list(parsed("Error: x"))
