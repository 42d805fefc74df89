"""One connection to a NATS broker that is mended by itself, with the inbox through which all its answers come back.

What the client library leaves open is closed here: a broker that accepts bytes and never answers, a connection that
the library gives up for good, a wait that outlives its deadline.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count as numbers

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from midflight.config import public_url
from midflight.errors import BrokerUnreachable
from midflight.telemetry import count, log
from midflight.transports.hands import Hands

CONNECT_SECONDS = 3
"""How long a first connection may take."""

FLUSH_SECONDS = 2
SECOND_CHANCE_SECONDS = 0.5
"""A broker that has not given a sign of life for so long is frozen: the connection is broken off and made anew."""

PING_SECONDS = 30
"""The library's own bound. A pong that comes after it makes the library's reader stumble, so it is never reached."""

WATCH_SECONDS = 1.0

STATUS = "Status"
"""The header by which the broker itself speaks; its values are those of HTTP."""

NO_RESPONDERS = "503"

Callback = Callable[[Msg], Awaitable[None]]


class NotTaken(Exception):
    """A message was certainly not taken by anyone: nobody subscribes, or there was no connection to send it through."""


@dataclass(eq=False)
class Interest:
    """A subscription that outlives the connection on which it was made."""

    subject: str
    queue: str
    callback: Callback
    subscription: Subscription


class Connection:
    """A connection under a name that the broker shows. Callbacks of subscriptions must only start work: the messages
    of one subscription are given to it one by one."""

    def __init__(self, url: str, name: str) -> None:
        self.url = public_url(url)
        self.on_mended: set[Callable[[], None]] = set()
        """Called after a broken connection has come back; the broker may have forgotten what the old one asked for."""
        self._servers, self._name = url.split(","), name
        self._client = Client()
        self._inbox = f"_INBOX.{re.sub('[^A-Za-z0-9_-]', '-', name)}.{secrets.token_hex(8)}"
        self._numbers = numbers(1)
        self._answers: dict[str, asyncio.Future[Msg]] = {}
        self._interests: list[Interest] = []
        self._mended = asyncio.Event()
        self._failed = asyncio.Event()
        self._failures: deque[Exception] = deque(maxlen=len(self._servers))
        self._watch: asyncio.Task[None] | None = None
        self._pings = Hands()
        self._closing = False

    @property
    def max_payload(self) -> int:
        """The most bytes that the broker takes at once, headers included."""
        return self._client.max_payload

    async def open(self) -> None:
        """Connect. Raises BrokerUnreachable at the first failure, and after 3 s."""
        self._client = await self._dial()
        await self.subscribe(f"{self._inbox}.*", self._answered)
        self._watch = asyncio.create_task(self._watch_over())

    async def close(self) -> None:
        """Send what is left and leave. Does nothing where it was never open."""
        if self._watch is None:
            return
        self._watch.cancel()
        await asyncio.wait([self._watch])
        self._closing = True
        await self.flush()
        await self._pings.drop()
        try:
            await self._client.close()
        except OSError as error:
            log.warning("transport.closed_hard", broker=self.url, reason=repr(error))

    # Sending

    async def request(self, subject: str, body: bytes, timeout: float, headers: Mapping[str, str] | None = None) -> Msg:
        """Send and wait for one answer. Raises NotTaken, or TimeoutError where it may have been taken."""
        loop = asyncio.get_running_loop()
        deadline, token = loop.time() + timeout, str(next(self._numbers))
        answer: asyncio.Future[Msg] = loop.create_future()
        self._answers[token] = answer
        try:
            await self.publish(subject, body, deadline=deadline, reply=f"{self._inbox}.{token}", headers=headers)
            # A second timeout: the library swallows a cancellation that meets it in the middle of a flush.
            async with asyncio.timeout_at(deadline):
                message = await answer
        finally:
            del self._answers[token]
        if status_of(message) == NO_RESPONDERS:
            raise NotTaken(f"nobody subscribes to {subject}")
        return message

    async def publish(
        self, subject: str, body: bytes, *, deadline: float, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send, before ``deadline`` by the loop's clock. Raises NotTaken where there was no connection until then, or
        TimeoutError where it may have gone out."""
        await self._connected(deadline)
        try:
            async with asyncio.timeout_at(deadline):
                await self._client.publish(subject, body, reply, dict(headers) if headers else None)
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            raise NotTaken(str(error)) from None

    async def flush(self) -> bool:
        """Wait until the broker has taken all that was sent so far. False where it is not there, or does not answer.

        It takes two pings: the library sends the first ahead of what waits in its buffer.
        """
        return await self._ping() and await self._ping()

    async def _ping(self) -> bool:
        """Whether the broker answers within 2.5 s. One that does not, nor gives another sign of life, is broken off."""
        client, seen = self._client, _signs_of_life(self._client)
        if not client.is_connected:
            return False
        ping = self._pings.take(_answers(client))
        # In two steps: the first may end with the answer unread, where this process itself was held up for long.
        for seconds in (FLUSH_SECONDS, SECOND_CHANCE_SECONDS):
            if not ping.done():
                await asyncio.wait([ping], timeout=seconds)
        if not ping.done() and _signs_of_life(client) == seen:
            await self._break_off(client, f"no sign of life for {FLUSH_SECONDS + SECOND_CHANCE_SECONDS} s")
        return ping.done() and ping.result()

    # Listening

    def new_inbox(self) -> str:
        """A subject of our own, to be subscribed to with one more word behind it."""
        return f"{self._inbox}.{next(self._numbers)}"

    async def subscribe(self, subject: str, callback: Callback, queue: str = "") -> Interest:
        """Have messages given to the callback, also after the connection was broken and mended."""
        interest = Interest(subject, queue, callback, await self._client.subscribe(subject, queue, callback))
        self._interests.append(interest)
        return interest

    async def withdraw(self, *interests: Interest) -> None:
        """Take nothing new; returns when all that the broker had sent until then was given to its callback."""
        for interest in interests:
            self._interests.remove(interest)
            await _unsubscribe(interest.subscription)
        await self.flush()
        drained = asyncio.gather(*map(_drain, interests), return_exceptions=True)
        await asyncio.wait([drained], timeout=FLUSH_SECONDS)

    async def _answered(self, message: Msg) -> None:
        answer = self._answers.get(message.subject[len(self._inbox) + 1 :])
        if answer is not None and not answer.done():
            answer.set_result(message)

    # Connecting, and mending

    async def _connected(self, deadline: float) -> None:
        if self._client.is_connected:
            return
        if self._closing:
            raise NotTaken(f"the connection to {self.url} was closed")
        try:
            async with asyncio.timeout_at(deadline):
                while not self._client.is_connected:
                    self._mended.clear()
                    await self._mended.wait()
        except TimeoutError:
            raise NotTaken(f"no connection to {self.url}") from None

    async def _dial(self) -> Client:
        client = Client()
        self._failures.clear()
        self._failed.clear()
        connecting = asyncio.create_task(self._connect(client))
        failed = asyncio.create_task(self._failed.wait())
        try:
            await asyncio.wait([connecting, failed], timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed.cancel()
            if not client.is_connected:
                await _give_up(client, connecting)
        if not client.is_connected:
            raise BrokerUnreachable(url=self.url, reason=_reason(self._failures, connecting))
        return client

    async def _connect(self, client: Client) -> None:
        await client.connect(
            self._servers,
            name=self._name,
            connect_timeout=FLUSH_SECONDS,
            reconnect_time_wait=0.1,  # type: ignore[arg-type]  # seconds, slept through as they are
            max_reconnect_attempts=-1,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
        )

    async def _on_error(self, error: Exception) -> None:
        self._failures.append(error)
        if len(self._failures) >= len(self._servers):
            self._failed.set()
        if self._client.is_connected:
            log.warning("transport.broker_error", broker=self.url, error=repr(error))

    async def _on_disconnected(self) -> None:
        if not self._closing:
            count("transport.disconnected")
            log.warning("transport.disconnected", broker=self.url)

    async def _on_reconnected(self) -> None:
        log.info("transport.reconnected", broker=self.url)
        self._mended.set()
        for callback in self.on_mended:
            callback()

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self._look_after()
            except Exception as error:  # noqa: BLE001  # whatever the library comes upon, the next look may mend it
                log.error("transport.watch_failed", broker=self.url, exc_info=error)

    async def _look_after(self) -> None:
        if self._client.is_closed:
            await self._replace()
        elif _is_deaf(self._client):
            await self._break_off(self._client, "the reader has ended")
        else:
            await self._ping()

    async def _replace(self) -> None:
        """The broker refused something in a way that made the library close for good: begin anew."""
        try:
            client = await self._dial()
            for interest in self._interests:
                interest.subscription = await client.subscribe(interest.subject, interest.queue, interest.callback)
        except (BrokerUnreachable, nats.errors.Error):
            return
        self._client = client
        await self._on_reconnected()

    async def _break_off(self, client: Client, reason: str) -> None:
        if not client.is_connected:
            return
        log.warning("transport.broken_off", broker=self.url, reason=reason)
        writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001  # only an abort does not wait for the peer
        if writer is not None:
            writer.transport.abort()
        await client.force_reconnect()


def status_of(message: Msg) -> str | None:
    """What the broker itself says with this message; None where a peer speaks."""
    return message.headers.get(STATUS) if message.headers and not message.data else None


def _signs_of_life(client: Client) -> tuple[int, int]:
    return client.stats["in_msgs"], client.stats["reconnects"]


def _is_deaf(client: Client) -> bool:
    """Whether the library's reader has stumbled over something and ended, which the library itself does not notice."""
    reader = client._reading_task  # noqa: SLF001  # nothing public tells
    return client.is_connected and reader is not None and reader.done()


async def _answers(client: Client) -> bool:
    """Never cancelled while the connection lives: the library's reader stumbles over the pong of a cancelled ping."""
    try:
        await client.flush(PING_SECONDS)
    except Exception:  # noqa: BLE001  # whatever it is, it is no answer
        return False
    return True


async def _unsubscribe(subscription: Subscription) -> None:
    """Only tell the broker. The library's own drain does the same, but forgets the subscription before the broker has
    heard of it, and drops what arrives meanwhile."""
    await subscription._conn._send_unsubscribe(subscription._id)  # noqa: SLF001  # nothing public does only this


async def _drain(interest: Interest) -> None:
    """Wait until everything was given to the callback."""
    await interest.subscription.drain()  # type: ignore[no-untyped-call]  # the library leaves it open


async def _give_up(client: Client, connecting: asyncio.Task[None]) -> None:
    if not connecting.done():
        connecting.cancel()
        await asyncio.wait([connecting])
        await client.close()


def _reason(failures: Iterable[Exception], connecting: asyncio.Task[None]) -> str:
    errors: list[BaseException | None] = [*failures] or ([] if connecting.cancelled() else [connecting.exception()])
    return "; ".join(map(_in_words, errors)) or f"no answer within {CONNECT_SECONDS} s"


def _in_words(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    if isinstance(error, TimeoutError):
        return f"nobody spoke NATS there within {FLUSH_SECONDS} s"
    return str(error) or type(error).__name__
