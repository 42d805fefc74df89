"""One client of the NATS library, with what the library leaves open closed.

A broker that accepts bytes and never answers, a frozen one that is dialled again first, a close that waits for a peer
who is gone, TLS that is wanted and not offered.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client, Server, Srv
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from midflight.errors import BrokerUnreachable
from midflight.telemetry import bad_input, count, log
from midflight.transports.nats_access import Access
from midflight.transports.nats_message import message_of
from midflight.transports.nats_wire import Wire

CONNECT_SECONDS = 3
"""How long a first connection may take, for each server."""

ANSWER_SECONDS = 2
SECOND_CHANCE_SECONDS = 0.5
"""A broker that has not given a sign of life for so long is frozen: the connection is broken off and made anew."""

PING_SECONDS = 10
"""A broker that gives signs of life, and has answered no ping for so long, does not read what we send."""

CLOSE_SECONDS = 3

RETRY_SECONDS = 0.1
"""About how long a server that has refused us is left alone; no two members wait equally long."""

PING = b"PING\r\n"

_DENIED = re.compile(r'permissions violation for publish to "([^"]+)"')
"""How the library says it, all in small letters."""

Event = Callable[[], Awaitable[None]]
Callback = Callable[[Msg], None]


class BrokerClient(Client):
    """A client that has one connection at a time, which comes back by itself."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access
        self._left = ""
        self._failures: deque[Exception] = deque(maxlen=len(access.servers))
        self._all_failed = asyncio.Event()
        self._answered_at = 0.0
        """When it has last answered a ping, or we connected, by the loop's clock."""
        self.on_denied: Callable[[str], None] = lambda _: None
        """Called with a subject to which the broker does not let us publish, in small letters."""
        self._wire: Wire | None = None
        self._callbacks: dict[bytes, Callback] = {}
        if access.nkey is not None:
            self._public_nkey = access.nkey.public

    # Connecting

    async def dial(self, on_disconnected: Event, on_reconnected: Event, on_lame_duck: Event) -> None:
        """Connect to one of the servers. Raises BrokerUnreachable when each has failed, and after 3 s for each."""

        async def disconnected() -> None:
            self._lost()
            await on_disconnected()

        connecting = asyncio.create_task(self._connect(disconnected, on_reconnected, on_lame_duck))
        failed = asyncio.create_task(self._all_failed.wait())
        seconds = CONNECT_SECONDS * len(self._access.servers)
        try:
            await asyncio.wait([connecting, failed], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed.cancel()
            if not self.is_connected:
                await self._give_up(connecting)
        if not self.is_connected:
            raise BrokerUnreachable(url=self._access.url, reason=self._reason(connecting, seconds))

    async def _connect(self, disconnected: Event, reconnected: Event, lame_duck: Event) -> None:
        access = self._access
        user, password, token = access.login()
        await self.connect(
            [*access.servers],
            name=access.name,
            tls=access.tls,
            signature_cb=access.nkey.sign if access.nkey else None,
            connect_timeout=ANSWER_SECONDS,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RETRY_SECONDS,  # type: ignore[arg-type]  # seconds, slept through as they are
            reconnect_to_server_handler=self._next_server,
            error_cb=self._on_error,
            disconnected_cb=disconnected,
            reconnected_cb=reconnected,
            lame_duck_mode_cb=lame_duck,
            user=user,
            password=password,
            token=token,
        )

    async def _connect_to_server(self, s: Srv) -> None:
        """Called by the library for each attempt."""
        s.last_attempt = self._answered_at = asyncio.get_running_loop().time()
        self._transport = self._wire = Wire(self._arrived)
        await self._wire.connect(s.uri, 0, ANSWER_SECONDS)

    def _connect_command(self) -> bytes:
        """What the library says first, with our name and password in it."""
        if self._access.tls is not None and self._socket("ssl_object") is None:
            raise nats.errors.Error("it offers no TLS, which the configuration demands")
        self._auth_configured = self._auth_configured or self._public_nkey is not None
        return super()._connect_command()

    def _lost(self) -> None:
        """What failed in an earlier outage says nothing of this one, in which it may be the server that lives."""
        self._left = self.netloc
        for server in self._server_pool:
            server.reconnects = 0

    def _next_server(self, servers: list[Server], _: Mapping[str, Any]) -> tuple[Server, float]:
        """Where to try next: where we have failed least often, and last of these where we come from, which may be
        frozen."""
        self.abort()  # the last attempt may have left its socket open
        self._access.renew()
        chosen = min(
            servers, key=lambda server: (server.reconnects + (server.uri.netloc == self._left), random.random())
        )
        return chosen, RETRY_SECONDS * random.uniform(0.5, 1.5) if chosen.reconnects else 0.0

    async def _give_up(self, connecting: asyncio.Task[None]) -> None:
        if not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting])
        elif connecting.exception():
            return  # it did not get as far as to have something to close
        self.abort()
        await self._end()

    async def _on_error(self, error: Exception) -> None:
        if denied := _DENIED.search(str(error)):
            self.on_denied(denied[1])
        self._failures.append(error)
        if len(self._failures) >= len(self._access.servers):
            self._all_failed.set()
        if self.is_connected:
            self._say_seldom("transport.broker_error", error, error=repr(error))

    def _say_seldom(self, event: str, wrong: Exception, **facts: Any) -> None:
        """A peer may bring this about as often as it likes."""
        kind = type(wrong).__name__
        count(event, kind=kind)
        if (more := bad_input.turn(event, kind, self._access.url)) is not None:
            log.warning(event, broker=self._access.url, **facts, **more)

    def _reason(self, connecting: asyncio.Task[None], seconds: float) -> str:
        """Why there is no connection, in the words of each server."""
        if self._failures:
            return "; ".join(in_words(error) for error in self._failures)
        if connecting.cancelled():
            return f"no answer within {seconds} s"
        error = connecting.exception()
        return in_words(error or nats.errors.UnexpectedEOF())

    # Messages

    async def hear(self, subject: str, queue: str, callback: Callback) -> Subscription:
        """Have messages given to the callback, which only starts work, by the reader itself."""
        self._callbacks[b"%d" % (self._sid + 1)] = callback  # the number that the library gives next
        return await self.subscribe(subject, queue)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        super()._remove_sub(sid, max_msgs)
        self._callbacks.pop(b"%d" % sid, None)

    def _arrived(self, number: bytes, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        self.stats["in_msgs"] += 1
        if (callback := self._callbacks.get(number)) is None:
            return
        try:
            callback(message_of(subject, reply, headers, body))
        except Exception as error:  # noqa: BLE001  # a message can never kill the reader
            self._say_seldom("transport.message_failed", error, exc_info=error)

    @property
    def takes_more(self) -> bool:
        """Whether there is a connection, and room in it."""
        return self._wire is not None and self.is_connected and not self._wire.is_full

    def send(self, subject: str, body: bytes, reply: str, *, at_once: bool) -> None:
        """Send a message without headers, behind all that the library was to send: ``at_once``, or together with
        others of this turn of the loop. To be called while ``takes_more``, with subjects of our own, which are well
        formed."""
        self.stats["out_msgs"] += 1
        self._write(b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), len(body), body), at_once=at_once)

    def _write(self, command: bytes, *, at_once: bool) -> None:
        assert self._wire is not None
        if self._pending:
            self._wire.writelines(self._pending)
            self._pending, self._pending_data_size = [], 0
        self._wire.write(command, at_once=at_once)

    async def make_room(self) -> None:
        """Wait until the broker has read enough that more can be sent, or the connection is lost."""
        assert self._wire is not None
        try:
            await self._wire.drain()
        except OSError:
            await asyncio.sleep(RETRY_SECONDS)  # the library is about to notice

    # Looking after

    @property
    def netloc(self) -> str:
        """The server at which we are, or were last."""
        return self._current_server.uri.netloc if self._current_server else ""

    @property
    def known_servers(self) -> tuple[str, ...]:
        """The URLs of all servers of the cluster that we were told of, by the configuration or by the broker."""
        return tuple(server.geturl() for server in self.servers)

    @property
    def is_deaf(self) -> bool:
        """Whether the library's reader has stumbled over something and ended, which the library does not notice."""
        return self.is_connected and self._reading_task is not None and self._reading_task.done()

    async def ping(self) -> bool:
        """Whether the broker answers within 2.5 s, and so has taken all that was sent before. One that does not, nor
        gives another sign of life, is broken off; and so is one that has answered no ping for 10 s.

        It is asked once a second by each member, idle ones included, and so without a task and a queue of the library.
        """
        if not self.is_connected:
            return False
        seen, answer = self._signs_of_life(), asyncio.get_running_loop().create_future()
        self._pongs.append(answer)  # never cancelled: the library's reader would stumble over the answer
        self._write(PING, at_once=True)
        # In two steps: the first may end with the answer unread, where this process itself was held up for long.
        for seconds in (ANSWER_SECONDS, SECOND_CHANCE_SECONDS):
            if not answer.done():
                await asyncio.wait([answer], timeout=seconds)
        if not answer.done():
            await self._doubt(seen)
        return answer.done()

    async def _doubt(self, seen: tuple[int, int]) -> None:
        """A ping is not answered. ``seen`` are the signs of life until it was sent."""
        if self._signs_of_life() == seen:
            await self.break_off(f"no sign of life for {ANSWER_SECONDS + SECOND_CHANCE_SECONDS} s")
        elif asyncio.get_running_loop().time() - self._answered_at > PING_SECONDS:
            await self.break_off(f"no answer to a ping for {PING_SECONDS} s")

    async def _process_pong(self) -> None:
        """Called by the library's reader."""
        self._answered_at = asyncio.get_running_loop().time()
        await super()._process_pong()

    def _signs_of_life(self) -> tuple[int, int]:
        return self.stats["in_msgs"], self.stats["reconnects"]

    async def break_off(self, reason: str) -> None:
        """Leave a connection that is of no use, for another one."""
        if self.is_connected:
            log.warning("transport.broken_off", broker=self._access.url, server=self.netloc, reason=reason)
            self.abort()
            await self.force_reconnect()

    async def leave(self) -> None:
        """Flush, and close for good. A peer that does not answer is not waited for."""
        await self.ping()
        await self._end()

    async def _end(self) -> None:
        """In a task of its own: where the library is just about to reconnect, its close ends in a cancellation."""
        ending = asyncio.create_task(self.close())
        await asyncio.wait([ending], timeout=CLOSE_SECONDS)
        if not ending.done():
            ending.cancel()
        elif not ending.cancelled() and (error := ending.exception()):
            log.warning("transport.closed_hard", broker=self._access.url, reason=repr(error))

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Only tell the broker. The library's own drain does the same, but forgets the subscription before the broker
        has heard of it, and drops what arrives meanwhile."""
        await self._send_unsubscribe(subscription._id)  # noqa: SLF001  # nothing public does only this

    def abort(self) -> None:
        """Close the socket without a word: only this does not wait for the peer."""
        if writer := self._writer():
            writer.transport.abort()

    def _socket(self, what: str) -> Any:
        writer = self._writer()
        return writer.get_extra_info(what) if writer else None

    def _writer(self) -> asyncio.StreamWriter | None:
        return getattr(self._transport, "_io_writer", None)


def in_words(error: BaseException) -> str:
    """Why a connection failed, for an operator."""
    if isinstance(error, ssl.SSLError):
        return _tls_in_words(error)
    if isinstance(error, (BrokenPipeError, ConnectionResetError, nats.errors.UnexpectedEOF)):
        return "it has closed the connection, and may refuse who we are ([credentials])"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    if isinstance(error, TimeoutError):
        return f"nobody spoke NATS there within {ANSWER_SECONDS} s"
    if isinstance(error, nats.errors.Error) and "authorization violation" in str(error).lower():
        return "it refuses who we are ([credentials] nkey, or the user in the URL)"
    return str(error) or type(error).__name__


def _tls_in_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted, {error.verify_message} ([credentials] ca)"
    what = (error.reason or str(error)).replace("_", " ").lower()
    return (
        f"it refuses our certificate, {what} ([credentials] certificate)" if "alert" in what else f"TLS failed, {what}"
    )
