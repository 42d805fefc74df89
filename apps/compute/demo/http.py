"""One HTTP request on a connection of its own, with nothing between it and the socket.

A client library would retry, pool and hide: here a reset is seen as a reset, and one request is one connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENCE = 6.0
"""Seconds after which the client hangs up. Longer than the 2 s that make a request a failed one, so that an answer
which comes late is still known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``status`` 0 and an ``error`` when nothing did."""

    status: int
    body: Any = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """A 2xx."""
        return 200 <= self.status < 300


async def ask(
    port: int, method: str, path: str, body: object = None, *, sent: Callable[[], None] | None = None
) -> Answer:
    """One request to 127.0.0.1, and its answer. ``sent`` is called when the request has left. Raises nothing."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _exchange(port, _request(method, path, body), sent)
    except TimeoutError:
        return Answer(0, error=f"no answer within {PATIENCE} s")
    except (OSError, EOFError, ValueError) as broken:
        return Answer(0, error=f"{type(broken).__name__}: {broken}")


def _request(method: str, path: str, body: object) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-project: demo\r\nconnection: close\r\n"
    if content:
        head += "content-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


async def _exchange(port: int, request: bytes, sent: Callable[[], None] | None) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        if sent:
            sent()
        return await _answer(reader)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.rstrip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await _content(reader, headers)
    return Answer(int(status_line.split()[1]), json.loads(content) if content else None)


async def _content(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()
