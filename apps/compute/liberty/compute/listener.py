"""HTTP that can be replaced while it is asked.

The listening socket may be inherited, and then belongs to more processes than this one: each accepts from it, and one
that leaves closes only its own handle. What the kernel holds is accepted by the others; what was accepted here is
served here, also a connection whose request is still under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Generator

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from compute.waiting import until
from midflight import ConfigError

LAST_REQUESTS_SECONDS = 1.0
"""How long an accepted connection may take to send its request once the server is leaving."""
START_SECONDS = 10.0


class Leaving(uvicorn.Server):
    """A uvicorn that resets nobody when it stops."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """1. accept no more 2. serve what was accepted 3. leave.

        uvicorn itself closes a connection at once that has not sent its request yet.
        """
        for server in self.servers:
            server.close()
        await asyncio.sleep(0.05)  # what was accepted in the last turn of the loop becomes a connection in the next
        await until(lambda: not self.server_state.connections, LAST_REQUESTS_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """The signals of this process are not uvicorn's."""
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket, patience: float) -> AsyncIterator[None]:
    """Serve until the block ends, and then until everything accepted is answered, at most ``patience`` seconds."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else an answer's second packet waits 40 ms
    config = uvicorn.Config(
        _last_answers(app, lambda: server.should_exit), http="h11", ws="none", lifespan="off", log_config=None,
        access_log=False, timeout_keep_alive=30, timeout_graceful_shutdown=max(1, int(patience)),
    )  # fmt: skip
    server = Leaving(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started or task.done(), START_SECONDS)
    if task.done():
        task.result()
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _last_answers(app: ASGIApp, leaving: Callable[[], bool]) -> ASGIApp:
    """The same, but when the server is leaving each answer says that it is the last one of its connection."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and leaving():
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await app(scope, receive, send_last)

    return answer


def listening_socket(inherited: list[socket.socket], host: str, port: int) -> socket.socket:
    """The first inherited socket, else a new one. Raises ConfigError when the address cannot be had."""
    try:
        return inherited[0] if inherited else socket.create_server((host, port), backlog=1024)
    except OSError as wrong:
        where, reason = "[app] http_host, http_port", f"cannot listen: {wrong.strerror or wrong}"
        raise ConfigError(path="the configuration", where=where, reason=reason) from None
