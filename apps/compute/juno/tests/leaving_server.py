"""A process for test_listener: serves on the inherited socket 3 until SIGTERM."""

import asyncio
import random
import signal
import socket
import sys

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from compute import listener
from compute.listener import serving

listener.LAST_REQUESTS_SECONDS = 30.0  # a busy machine may hold up whoever has connected


async def app(scope, receive, send):
    request = Request(scope, receive)
    body = await request.body()
    await asyncio.sleep(random.random() * 0.02)
    await PlainTextResponse(b"echo " + body)(scope, receive, send)


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serving(app, socket.socket(fileno=3), patience=5):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await stop.wait()
        sys.stdout.write("leaving\n")
        sys.stdout.flush()


asyncio.run(main())
