"""Bare nats-py: a request and its answer, with nothing in them but bytes. The practical limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.aio.msg import Msg

from benchmarks.rpc import loads

Call = Callable[[], Awaitable[object]]


async def _echo(message: Msg) -> None:
    await message.respond(message.data)


@asynccontextmanager
async def serving(broker: str, _: Path) -> AsyncIterator[None]:
    """The one who is asked."""
    client = await nats.connect(broker)
    await client.subscribe("echo", "workers", _echo)
    await client.flush()
    yield
    await client.drain()


@asynccontextmanager
async def asking(broker: str, _: Path) -> AsyncIterator[dict[str, Call]]:
    """The one who asks: what it can call."""
    client, text = await nats.connect(broker), loads.TEXT.encode()
    yield {"echo": lambda: client.request("echo", text, timeout=loads.CALL_SECONDS)}
    await client.drain()
