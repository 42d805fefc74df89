"""Probes: the few pages that a process answers over HTTP, to whoever watches over it.

They are served by the event loop that they tell about: where it is blocked, nobody answers, and that is the truth. They
are there from the first step of a start to the last one of a stop.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from midflight.errors import ConfigError
from midflight.telemetry import log

REQUEST_SECONDS = 5.0
"""Whoever takes longer to ask, or to read, is hung up on."""
MOST_BYTES = 8_192
"""A request's head may be as long."""
MOST_ASKERS = 32
"""So many may ask at once; others are hung up on."""

TEXT = "text/plain; charset=utf-8"

_REQUEST = re.compile(r"([A-Z]{1,20}) (/[!-~]*) HTTP/1\.[01]")
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Answer:
    """What is answered to one request."""

    status: int
    body: bytes
    kind: str = TEXT


def said(text: str, *, well: bool = True) -> Answer:
    """One line: 200, or 503 where it is not ``well``."""
    return Answer(200 if well else 503, f"{text}\n".encode())


@dataclass(frozen=True)
class Standing:
    """How a service stands at one moment. ``state`` is starting, ready or draining."""

    service: str
    host: str
    release: str
    member: str
    epoch: int
    state: str


Page = Callable[[str], Awaitable[Answer]]
"""From the header Accept to an answer."""


class Probes:
    """Serves pages by their paths, to GET and HEAD, one request a connection."""

    def __init__(self, listen: str, pages: Mapping[str, Page], path: str, where: str = "[metrics] listen") -> None:
        """``listen`` is HOST:PORT, and stands at this place of ``path``. Raises ConfigError."""
        self._pages, self._listen, self._path, self._where = pages, listen, path, where
        found = _ADDRESS.fullmatch(listen)
        if not found or int(found[3]) > 65_535:
            raise self._mistake(f"received {listen[:100]!r}, expected HOST:PORT, like 127.0.0.1:9464")
        self._host, self._port = found[1] or found[2], int(found[3])
        self.address = listen
        """Where it listens; a port 0 is another one when it is open."""
        self._asking: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen. Raises ConfigError where that is not possible."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=MOST_BYTES)
        except OSError as wrong:
            raise self._mistake(f"{self._listen}: {wrong.strerror or wrong}") from None
        host, port, *_ = self._server.sockets[0].getsockname()
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        log.info("probes.listening", address=self.address, pages=[*self._pages])

    async def close(self) -> None:
        """Listen no more."""
        self._server.close()
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _mistake(self, reason: str) -> ConfigError:
        return ConfigError(path=self._path, where=self._where, reason=reason)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._asking.add(task)
        try:
            if len(self._asking) <= MOST_ASKERS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._converse(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            pass  # whoever asked is gone, or was no client of HTTP
        finally:
            writer.close()
            self._asking.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, answer = await self._answer(head)
        lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}", f"Content-Type: {answer.kind}"]
        lines += [f"Content-Length: {len(answer.body)}", "Connection: close"]
        lines += ["Allow: GET, HEAD"] if answer.status == 405 else []
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if method != "HEAD":
            writer.write(answer.body)
        await writer.drain()

    async def _answer(self, head: str) -> tuple[str, Answer]:
        request, *headers = head.split("\r\n")
        found = _REQUEST.fullmatch(request)
        if not found:
            return "", Answer(400, b"this is no request of HTTP/1.1\n")
        method, path = found[1], found[2].partition("?")[0]
        if path not in self._pages:
            return method, Answer(404, f"there is {', '.join(self._pages)}\n".encode())
        if method not in ("GET", "HEAD"):
            return method, Answer(405, b"GET and HEAD only\n")
        named = (header.partition(":") for header in headers)
        accepted = ",".join(value.strip() for name, _, value in named if name.lower() == "accept")
        return method, await self._page(path, accepted)

    async def _page(self, path: str, accepted: str) -> Answer:
        """What an application has registered may raise when it is asked; that is told to both."""
        try:
            return await self._pages[path](accepted)
        except Exception as wrong:  # noqa: BLE001  # whatever it is, who watches over us gets an answer
            log.error("probes.page_failed", path=path, exc_info=wrong)
            return Answer(500, f"{path} failed: {type(wrong).__name__}; the log has its traceback\n".encode())
