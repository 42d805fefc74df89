"""From the browser of whoever looks on to the page on the box, which is in a network of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.lab.netns import inside

_AGAIN = 0.1
_PIECE = 1 << 16


@asynccontextmanager
async def door(namespace: str, port: int) -> AsyncIterator[str]:
    """Carry bytes from a free port of this machine to that port in the namespace; the address, as a URL. Whoever comes
    while nobody listens there waits for a moment."""
    passing: set[asyncio.Task[None]] = set()

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        passing.add(task)
        with suppress(OSError):
            there = await _connected(namespace, port)
            await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))
        writer.close()
        passing.discard(task)

    server = await asyncio.start_server(enter, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def _connected(namespace: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises OSError where nobody has listened for a while."""
    for _ in range(100):
        with inside(namespace):
            leaving = socket.socket()
        leaving.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(leaving, ("127.0.0.1", port))
        except ConnectionRefusedError:
            leaving.close()
            await asyncio.sleep(_AGAIN)
        else:
            return await asyncio.open_connection(sock=leaving)
    raise ConnectionRefusedError(port)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
