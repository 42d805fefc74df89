"""What a process answers over HTTP: few pages, to whoever asks, whatever they send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from midflight import probes
from midflight.errors import ConfigError
from midflight.probes import Answer, Probes, said


async def well(accepted: str) -> Answer:
    return said(f"accepted {accepted}")


async def ill(_: str) -> Answer:
    return said("starting", well=False)


@pytest.fixture
async def listening() -> AsyncIterator[Probes]:
    served = Probes("127.0.0.1:0", {"/healthz": well, "/readyz": ill}, "fleet.toml")
    await served.open()
    yield served
    await served.close()


async def connected(listening: Probes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = listening.address.partition(":")
    return await asyncio.open_connection(host, int(port))


async def asked(listening: Probes, request: bytes) -> bytes:
    """All that comes back, until we are hung up on."""
    reader, writer = await connected(listening)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:  # hung up on before all was read
        return b""
    finally:
        writer.close()


HEALTHZ = b"GET /healthz HTTP/1.1\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nAccept: a/b\r\naccept: c\r\n\r\n", GOOD % 15 + b"accepted a/b,c\n"),
        (b"GET /healthz?name=1 HTTP/1.0\r\n\r\n", GOOD % 10 + b"accepted \n"),
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", GOOD % 10),
    ],
)
async def test_a_page(listening: Probes, request_: bytes, answer: bytes) -> None:
    """GET has its body, HEAD only its length; a page is told what the asker accepts."""
    assert await asked(listening, request_) == answer


@pytest.mark.parametrize(
    ("request_", "first", "last"),
    [
        (b"GET /readyz HTTP/1.1\r\n\r\n", b"HTTP/1.1 503 Service Unavailable", b"starting\n"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found", b"there is /healthz, /readyz\n"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed", b"GET and HEAD only\n"),
        (b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 400 Bad Request", b"this is no request of HTTP/1.1\n"),
        (b"GET /a b HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request", b"this is no request of HTTP/1.1\n"),
    ],
)
async def test_what_is_no_page(listening: Probes, request_: bytes, first: bytes, last: bytes) -> None:
    """The status says what is wrong, the body what there is; the next request is served."""
    answer = await asked(listening, request_)
    assert answer.startswith(first + b"\r\n")
    assert answer.endswith(b"\r\n\r\n" + last)
    assert (await asked(listening, b"GET /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")


async def test_a_head_without_an_end(listening: Probes) -> None:
    """Who sends more than a head's bytes, or half a request, is hung up on without an answer."""
    assert await asked(listening, b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 100_000) == b""
    reader, writer = await connected(listening)
    writer.write(b"GET /healthz")
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_who_asks_too_slowly(listening: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing is hung up on in the end, and the next one is served."""
    monkeypatch.setattr(probes, "REQUEST_SECONDS", 0.2)
    reader, writer = await connected(listening)
    assert await reader.read() == b""
    writer.close()
    monkeypatch.undo()
    assert (await asked(listening, HEALTHZ)).startswith(b"HTTP/1.1 200 OK")


async def test_too_many_at_once(listening: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than so many are listened to; when they have gone, others are."""
    monkeypatch.setattr(probes, "MOST_ASKERS", 2)
    monkeypatch.setattr(probes, "REQUEST_SECONDS", 600.0)
    silent = [await connected(listening) for _ in range(2)]
    assert await asked(listening, HEALTHZ) == b""
    for _, writer in silent:
        writer.close()
    async with asyncio.timeout(60):
        while not (await asked(listening, HEALTHZ)).startswith(b"HTTP/1.1 200 OK"):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("listen", ["9464", "localhost", "a:b", "h:65536", "http://h:1", "h:1/", "[::1]", ""])
def test_no_address(listen: str) -> None:
    """What is none is told with its place."""
    with pytest.raises(ConfigError, match=r"fleet.toml: \[metrics\] listen: received .* expected HOST:PORT"):
        Probes(listen, {}, "fleet.toml")


async def test_an_address_that_is_taken(listening: Probes) -> None:
    """Two cannot listen at one address: the second is told in one line."""
    with pytest.raises(ConfigError, match=rf"\[metrics\] listen: {listening.address}: .*address already in use"):
        await Probes(listening.address, {}, "fleet.toml").open()


async def test_ipv6() -> None:
    """An address of IPv6 stands in brackets."""
    served = Probes("[::1]:0", {}, "fleet.toml")
    await served.open()
    assert served.address.startswith("[::1]:")
    await served.close()
