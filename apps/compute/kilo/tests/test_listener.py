"""HTTP goes on while its server is replaced."""

import asyncio
import itertools
import os
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("leaving_server.py")
REQUESTS = 2_000


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """The socket of a supervisor, which stays open whatever the servers do."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        yield listening


async def started(listening: socket.socket) -> asyncio.subprocess.Process:
    """A server process on descriptor 3, as a supervisor starts it."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), pass_fds=(3,), cwd=SERVER.parent.parent,
        env={**os.environ, "PYTHONPATH": str(SERVER.parent.parent)},
        stdout=asyncio.subprocess.PIPE, preexec_fn=lambda: os.dup2(listening.fileno(), 3),
    )  # fmt: skip
    assert server.stdout is not None
    assert await server.stdout.readline() == b"ready\n"
    return server


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> tuple[str, bool]:
    """One request, sometimes with a pause before or inside it: how it went, and whether the connection may go on."""
    body = f"{number}".encode() * 50
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for part in (head, body):
        await asyncio.sleep(random.choice((0, 0, 0, 0.05, 0.3)))
        writer.write(part)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next(int(line[16:]) for line in answer.split(b"\r\n") if line.startswith(b"content-length:"))
    right = answer.startswith(b"http/1.1 200") and await reader.readexactly(length) == b"echo " + body
    return "answered" if right else "wrong", b"connection: close" not in answer


async def talk(address: tuple[str, int], numbers: Iterator[int], outcomes: Counter[str]) -> None:
    """These requests on one connection, as many as the server allows."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for number in numbers:
            outcome, goes_on = await ask(reader, writer, number)
            outcomes[outcome] += 1
            if not goes_on:
                break
    except (OSError, asyncio.IncompleteReadError) as failed:
        outcomes[repr(failed)] += 1
    writer.close()


async def test_no_request_is_lost_while_two_servers_are_replaced_again_and_again(listening: socket.socket) -> None:
    """All are answered, most on a connection of their own, some on one that lasts until the server says otherwise."""
    servers = [await started(listening), await started(listening)]
    outcomes: Counter[str] = Counter()
    numbers = iter(range(REQUESTS))

    async def client(most: int) -> None:
        for number in numbers:
            wanted = itertools.chain([number], itertools.islice(numbers, most - 1))
            await talk(listening.getsockname(), wanted, outcomes)

    async def replace() -> None:
        while outcomes.total() < REQUESTS - 100:
            old = servers.pop(0)
            servers.append(await started(listening))
            old.send_signal(signal.SIGTERM)
            assert await old.wait() == 0

    await asyncio.gather(replace(), *(client(most) for most in [1] * 60 + [1000] * 20))
    for server in servers:
        server.send_signal(signal.SIGTERM)
        await server.wait()
    assert outcomes == {"answered": REQUESTS}


async def test_the_last_answer_of_a_leaving_server_closes_its_connection(listening: socket.socket) -> None:
    """A connection that was accepted before the stop and asks after it is answered, with Connection: close."""
    server = await started(listening)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    later: Counter[str] = Counter()
    await talk(listening.getsockname(), itertools.repeat(0, 1), later)
    assert later == {"answered": 1}  # so ours was accepted too
    server.send_signal(signal.SIGTERM)
    assert server.stdout is not None
    assert await server.stdout.readline() == b"leaving\n"
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer
    assert await server.wait() == 0
