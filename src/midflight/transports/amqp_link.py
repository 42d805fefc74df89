"""One living connection to a RabbitMQ broker, as long as it lives: its socket, and its channels by their use.

What the client library leaves open is closed here: errors of many kinds for a connection that was lost, a cancellation
that nobody asked for, a socket that cannot be cut off.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from aiormq import (
    Channel,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionClosed,
    InvalidFrameError,
)
from aiormq import Connection as LibraryConnection
from aiormq.abc import DeliveredMessage

from midflight.config import public_url
from midflight.errors import BrokerUnreachable
from midflight.transports.amqp_post import Post
from midflight.transports.amqp_wire import DELIVER, Wire

CONNECT_SECONDS = 3.0
"""How long one broker may take until it has let us in."""

CLOSE_SECONDS = 2.0
ASK_SECONDS = 5.0

PING_SECONDS = 2.0
SECOND_CHANCE_SECONDS = 0.5
"""A broker that has not given a sign of life for so long is frozen: the connection is broken off and made anew."""

LEAST_HEARTBEAT = 5
"""Seconds: with less, a busy machine looks dead."""

REFUSALS = ChannelAccessRefused, ChannelLockedResource, ChannelNotFoundEntity, ChannelPreconditionFailed
"""How the broker says no; it closes the channel on which it was asked."""

T = TypeVar("T")

# What the library has to say is in our own events; who wants it as well configures its logger.
logging.getLogger("aiormq").addHandler(logging.NullHandler())


class NotTaken(Exception):
    """A message was certainly not taken by anyone: nobody listens, or there was no connection to send it through."""


class Denied(NotTaken):
    """The broker does not let us send there."""


class Broken(Exception):
    """The connection was lost in the middle of something, which may have been done, or not."""


FAILURES = (*REFUSALS, NotTaken, Broken, TimeoutError)
"""All that may come of using a connection."""


@contextmanager
def guarded() -> Iterator[None]:
    """Round each use of the library: what it raises is one of FAILURES."""
    try:
        yield
    except FAILURES:
        raise
    except ChannelInvalidStateError as error:
        raise NotTaken(str(error)) from None
    except asyncio.CancelledError:
        # The library cancels whoever waits for a connection that it found to be stuck.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Broken("the connection was lost") from None
    except Exception as error:  # noqa: BLE001  # the library raises what it met first, even a bare Exception
        raise Broken(in_words(error)) from None


async def ask(operation: Awaitable[T]) -> T:
    """Ask the broker for something, and wait for its answer for at most 5 s. Errors as of ``guarded``.

    In a task of its own: the library, when it is cancelled, wants to tell the broker, and waits until it can.
    """
    task = asyncio.ensure_future(operation)
    try:
        await asyncio.wait([task], timeout=ASK_SECONDS)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not task.done():
        raise TimeoutError
    with guarded():
        return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    """Its error is of no interest to anyone."""
    if not task.cancelled():
        task.exception()


class Link:
    """A connection, from its beginning to its end."""

    def __init__(self, url: str, name: str, ack_wait: float, tls: ssl.SSLContext | None) -> None:
        self.url, self._wire = public_url(url), Wire()
        self.overran = False
        """Whether the broker did not get to let us in, in the time that it had."""
        self._connection = LibraryConnection(
            _with_heartbeat(url, max(LEAST_HEARTBEAT, round(ack_wait / 2))),
            context=tls,
            client_properties={"connection_name": name},
            transport_factory=self._wire,
        )
        self._channels: dict[str, Channel] = {}
        self._posts: dict[str, Post] = {}
        self._opening: dict[str, asyncio.Future[Post]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._pinging: asyncio.Future[Any] | None = None

    async def open(self) -> None:
        """Connect, within 3 s. Raises BrokerUnreachable."""
        connecting = asyncio.ensure_future(self._connection.connect())
        connecting.add_done_callback(_forget)
        try:
            await asyncio.wait([connecting], timeout=CONNECT_SECONDS)
        finally:
            if not connecting.done():
                self._wire.cut()
                connecting.cancel()
                await asyncio.wait([connecting], timeout=CLOSE_SECONDS)
        if reason := self._why_not(connecting):
            raise BrokerUnreachable(url=self.url, reason=reason)
        await self.channel("ping")

    def _why_not(self, connecting: asyncio.Future[Any]) -> str:
        if not connecting.done() or connecting.cancelled():
            self.overran = True
            return f"nobody spoke AMQP there within {CONNECT_SECONDS} s"
        error = connecting.exception()
        if isinstance(error, InvalidFrameError) and "Connection.OpenOk" in str(error):
            return f"no virtual host {self._connection.vhost!r} is there for this user"
        return in_words(error) if error else ""

    async def close(self) -> None:
        """Send what is left and leave, within 2 s."""
        closing = asyncio.ensure_future(self._connection.close(ConnectionClosed(0, "closed")))
        closing.add_done_callback(_forget)
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)
        self.cut()
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)

    def cut(self) -> None:
        """Break off at once: the broker does not answer."""
        self._wire.cut()

    @property
    def is_lost(self) -> bool:
        """Whether it has come to its end."""
        return not self._connection.is_opened

    async def until_lost(self, timeout: float) -> None:
        """Wait for its end, at most for so long."""
        await asyncio.wait([self._connection.closing], timeout=timeout)

    async def channel(self, use: str) -> Channel:
        """The channel for this use: opened by the first who needs it, and anew after the broker has closed it."""
        async with self._turn(use):
            return await self._channel(use)

    def living_post(self, use: str) -> Post | None:
        """How to send for this use; None where there is no way yet, or not any more."""
        post = self._posts.get(use)
        return None if post is None or post.is_closed else post

    async def post(self, use: str) -> Post:
        """The same, opened for the first who needs it, and anew after the broker has closed it. Whoever is in too much
        of a hurry for that leaves it to the others: begun anew for each, a slow broker would never be done with it."""
        opening = self._opening.get(use)
        if opening is None or opening.done():
            opening = self._opening[use] = asyncio.ensure_future(self._open_post(use))
            opening.add_done_callback(_forget)
        return await asyncio.shield(opening)

    async def _open_post(self, use: str) -> Post:
        post = self.living_post(use)
        if post is None:
            post = self._posts[use] = Post(await self.new_channel(), self._wire)
        return post

    def deliver(self, channel: Channel, callback: Callable[[DeliveredMessage], None]) -> None:
        """Have what is delivered on a channel given to the callback, which only starts work, by the reader itself."""

        def take(_: object, message: DeliveredMessage | None) -> None:
            assert message is not None
            callback(message)

        self._wire.shorten(channel, (DELIVER,), take)

    async def ask(self, use: str, operation: Callable[[Channel], Awaitable[T]]) -> T:
        """Do something on the channel for this use, one after the other, so that each hears its own refusal. Errors as
        of ``ask``. Where the broker does not answer, the channel is given up: it may still answer, too late."""
        async with self._turn(use):
            channel = await self._channel(use)
            try:
                return await ask(operation(channel))
            except (Broken, NotTaken, TimeoutError):
                self._channels.pop(use, None)
                raise

    def _turn(self, use: str) -> asyncio.Lock:
        return self._turns.setdefault(use, asyncio.Lock())

    async def _channel(self, use: str) -> Channel:
        channel = self._channels.get(use)
        if channel is None or channel.is_closed:
            channel = self._channels[use] = await self.new_channel()
        return channel

    async def new_channel(self) -> Channel:
        """A channel for the caller alone."""
        return cast(Channel, await ask(self._connection.channel(on_return_raises=False)))

    async def answers(self) -> bool:
        """Whether the broker gives a sign of life within 2.5 s. One that blocks us for want of memory reads nothing,
        and is alive."""
        ping, seen = self._ping(), self._wire.received
        # In two steps: the first may end with the answer unread, where this process itself was held up for long.
        for seconds in (PING_SECONDS, SECOND_CHANCE_SECONDS):
            if not ping.done():
                await asyncio.wait([ping], timeout=seconds)
        if not ping.done():
            return self._wire.received != seen or await self._is_blocked()
        return not ping.cancelled() and ping.exception() is None

    def _ping(self) -> asyncio.Future[Any]:
        """Never cancelled: the library would close its channel."""
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.ensure_future(self._channels["ping"].basic_qos())
            self._pinging.add_done_callback(_forget)
        return self._pinging

    async def _is_blocked(self) -> bool:
        try:
            async with asyncio.timeout(0):
                await self._connection.ready()
        except TimeoutError:
            return True
        return False


def _with_heartbeat(url: str, seconds: int) -> str:
    """The broker gives up a peer after two heartbeats that did not come. A URL may say for itself how far they lie."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, f"heartbeat={seconds}")))))


def in_words(error: BaseException) -> str:
    """What happened, without the library's wrapping."""
    if isinstance(error, OSError) and error.errno and error.errno > 0 and type(error).__module__ != "ssl":
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
