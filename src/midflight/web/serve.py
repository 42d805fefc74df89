"""Serve a site until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from midflight.config import Config
from midflight.errors import UsageError
from midflight.web.access import Access, session_key
from midflight.web.app import App
from midflight.web.gatherer import Connect, Gatherer
from midflight.web.guard import HERE
from midflight.web.site import Site

GRACE_SECONDS = 2
"""How long open streams may take to end, which they do by themselves unless somebody does not read."""


async def serve(
    make: Callable[[], Site[Any, Any]],
    connect: Connect,
    config: Config | Path | str,
    listen: str,
    tell: Callable[[str], None],
) -> None:
    """Listen at HOST:PORT, where port 0 takes a free one; ``make`` the site, ``tell`` the address, and serve. It is
    made behind the address, so that a wrong one is told first, whatever is wrong with what the site is made of.

    ``[console]`` of the configuration says who may look and act. Raises UsageError where this must not, or cannot, be
    listened on, and ConfigError.
    """
    found = config if isinstance(config, Config) else Config.load(Path(config))
    host, port = _address(listen)
    nobody = Access(found.console, b"")
    if host not in HERE and nobody.open:
        reason = f"received --listen {host}:{port}, but nobody can sign in, so whoever reaches it would see all of it"
        raise UsageError(
            reason=f"{reason}. Add [[console.tokens]] by `midflight console token`, or listen on 127.0.0.1"
        )
    listening = _listen(host, port)
    access = nobody if nobody.open else Access(found.console, session_key(found))
    site = make()
    gatherer = Gatherer(connect, site.always, errors=site.errors)
    settings = uvicorn.Config(
        App(site, gatherer, access, [host, *found.console.hosts]).app(), log_config=None, access_log=False,
        server_header=False, proxy_headers=False,   # whom to believe about somebody's address is for access.py
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    server = _Server(settings)

    def stop() -> None:
        server.should_exit = True
        gatherer.close()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    name, taken = listening.getsockname()[:2]
    tell(f"http://{f'[{name}]' if ':' in name else name}:{taken}")
    await server.serve(sockets=[listening])


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(reason=f"received --listen {listen!r}, expected HOST:PORT like 127.0.0.1:8700")
    return host.strip("[]"), int(port)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as wrong:
        raise UsageError(reason=f"received --listen {host}:{port}, which cannot be listened on: {wrong}") from None


class _Server(uvicorn.Server):
    """Ends when it is told to, and not with the signal that told it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
