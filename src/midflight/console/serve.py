"""Serve the console until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from midflight.config import Config
from midflight.console.access import Access, session_key
from midflight.console.app import Console
from midflight.console.gatherer import Gatherer
from midflight.console.guard import HERE
from midflight.console.passages import passages_of
from midflight.errors import UsageError
from midflight.project import Project
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import operating

GRACE_SECONDS = 2
"""How long open streams may take to end, which they do by themselves unless somebody does not read."""


async def serve(config: Config, project: Project, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Listen, ``tell`` the address, and serve. Raises UsageError where this must not, or cannot, be listened on."""
    nobody = Access(config.console, b"")
    if host not in HERE and nobody.open:
        reason = f"received --listen {host}:{port}, but nobody can sign in, so whoever reaches it would see the fleet"
        raise UsageError(
            reason=f"{reason}. Add [[console.tokens]] by `midflight console token`, or listen on 127.0.0.1"
        )
    listening = _listen(host, port)
    access = nobody if nobody.open else Access(config.console, session_key(config))
    gatherer = Gatherer(lambda: operating(config, project))
    hosts, passages = [host, *config.console.hosts], passages_of(project)
    console = Console(project.name, Aim.latest(project), gatherer, access, hosts, passages)
    settings = uvicorn.Config(
        console.app(), log_config=None, access_log=False, server_header=False,
        proxy_headers=False,   # whom to believe about somebody's address is for access.py
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    server = _Server(settings)

    def stop() -> None:
        server.should_exit = True
        gatherer.close()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    name, found = listening.getsockname()[:2]
    tell(f"http://{f'[{name}]' if ':' in name else name}:{found}")
    await server.serve(sockets=[listening])


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
