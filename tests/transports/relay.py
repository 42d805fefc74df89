"""A stretch of network between members and a broker, which may be long, or go wrong."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Self

from midflight.transports.hands import Hands


class Relay:
    """Passes on what is said to a port of this machine, and what is answered. It may stop reading what a member says,
    while it still passes on what that member is to hear. ``delay`` seconds later everything arrives."""

    def __init__(self, port: int, delay: float = 0.0) -> None:
        self._port, self.delay, self._mute = port, delay, asyncio.Event()
        self._tasks = Hands()

    async def start(self, address: str = "127.0.0.1") -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._relay, address, 0)
        self.netloc = f"{address}:{self._server.sockets[0].getsockname()[1]}"
        return self

    def stop_reading(self) -> None:
        """Of the connections that there are; later ones are read."""
        self._mute.set()
        self._mute = asyncio.Event()

    async def stop(self) -> None:
        """Leave."""
        self._server.close()
        await self._tasks.drop()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._tasks.take(self._pass_on(reader, their_writer, self._mute))
        with closing(writer), closing(their_writer):
            await self._pass_on(their_reader, writer, asyncio.Event())

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        loop, way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()
        arriving = self._tasks.take(_arrive(way, writer))
        try:
            while not arriving.done() and (data := await reader.read(65536)):
                if mute.is_set():
                    await asyncio.Event().wait()
                way.put_nowait((loop.time() + self.delay, data))
        except OSError:
            pass  # it was broken off
        way.put_nowait((loop.time() + self.delay, b""))
        await arriving


async def _arrive(way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    """Until there is no more, or nobody who takes it."""
    with closing(writer):
        while not writer.is_closing():
            at, data = await way.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            if not data:
                return
            writer.write(data)
