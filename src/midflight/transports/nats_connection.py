"""One connection to a NATS broker that is mended by itself, with the inbox through which all its answers come back.

What the client library leaves open is closed here: a broker that accepts bytes and never answers, a connection that
the library gives up for good, a wait that outlives its deadline.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count as numbers

import nats.errors
from nats.aio.msg import Msg

from midflight.config import ANONYMOUS, Credentials
from midflight.errors import BrokerUnreachable
from midflight.telemetry import count, log
from midflight.transports.hands import Hands
from midflight.transports.nats_access import Access
from midflight.transports.nats_client import BrokerClient, Callback
from midflight.transports.nats_interest import Interest, Past, drain, unsubscribe
from midflight.transports.nats_message import NO_RESPONDERS, status_of

WATCH_SECONDS = 1.0

HEADROOM = 8192
"""Bytes that are kept free in each message: for headers, and for the facts of a parked one."""

LATE_SECONDS = 1.0
"""For so long after a move, what comes by the new server may have come by the old one before."""


class NotTaken(Exception):
    """A message was certainly not taken by anyone: nobody subscribes, or there was no connection to send it through."""


class Denied(NotTaken):
    """The broker does not let us publish to a subject."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"the broker does not let us publish to {subject}")


class Connection:
    """A connection under a name that the broker shows; the subjects of all answers begin with ``inbox``. Callbacks of
    subscriptions must only start work: the messages of one subscription are given to it one by one."""

    def __init__(self, url: str, name: str, credentials: Credentials = ANONYMOUS, inbox: str = "_INBOX") -> None:
        self._access = Access.to(url, name, credentials)
        self.url, self.servers = self._access.url, len(self._access.servers)
        self.on_mended: set[Callable[[], None]] = set()
        """Called after a broken connection has come back; the broker may have forgotten what the old one asked for."""
        self.on_denied: set[Callable[[str], None]] = set()
        """Called with a subject, in small letters, to which the broker does not let us publish."""
        self._client = BrokerClient(self._access)
        self._inbox = f"{inbox}.{re.sub('[^A-Za-z0-9_-]', '-', name)}.{secrets.token_hex(8)}"
        self._numbers = numbers(1)
        self._answers: dict[str, asyncio.Future[Msg]] = {}
        self._asked: dict[str, str] = {}
        """By the same token, the subject."""
        self._interests: list[Interest] = []
        self._changing = asyncio.Lock()
        self._moving: asyncio.Task[None] | None = None
        self._mended = asyncio.Event()
        self._mended_at = 0.0
        self._watch: asyncio.Task[None] | None = None
        self._tasks = Hands()
        self._closing = False

    @property
    def max_payload(self) -> int:
        """The most bytes that the broker takes at once, headers included."""
        return self._client.max_payload

    @property
    def max_body(self) -> int:
        """The largest body that it takes, in bytes."""
        return self._client.max_payload - HEADROOM

    async def open(self) -> None:
        """Connect. Raises BrokerUnreachable when each server has failed once, and after 3 s for each."""
        self._client = await self._dial(self._access)
        await self.subscribe(f"{self._inbox}.*", self._answered)
        self._watch = asyncio.create_task(self._watch_over())

    async def close(self) -> None:
        """Send what is left and leave. Does nothing where it was never open."""
        if self._watch is None:
            return
        self._watch.cancel()
        await asyncio.wait([self._watch])
        self._closing = True
        await self._tasks.drop()
        await self._client.leave()

    # Sending

    async def request(self, subject: str, body: bytes, timeout: float, headers: Mapping[str, str] | None = None) -> Msg:
        """Send and wait for one answer. Raises NotTaken, Denied among it, or TimeoutError where it may have been
        taken."""
        loop = asyncio.get_running_loop()
        deadline, token = loop.time() + timeout, str(next(self._numbers))
        answer: asyncio.Future[Msg] = loop.create_future()
        self._answers[token], self._asked[token] = answer, subject
        try:
            await self.publish(subject, body, deadline=deadline, reply=f"{self._inbox}.{token}", headers=headers)
            # A second timeout: the library swallows a cancellation that meets it in the middle of a flush.
            async with asyncio.timeout_at(deadline):
                message = await answer
        finally:
            del self._answers[token], self._asked[token]
        if status_of(message) == NO_RESPONDERS:
            raise NotTaken(f"nobody subscribes to {subject}")
        return message

    async def publish(
        self,
        subject: str,
        body: bytes,
        *,
        deadline: float,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
        at_once: bool = False,
    ) -> None:
        """Send, before ``deadline`` by the loop's clock; ``at_once`` where nothing else is expected to go out in this
        turn of the loop. Raises NotTaken where there was no connection until then, or TimeoutError where it may have
        gone out."""
        if not self._client.takes_more:
            await self._until_it_takes_more(deadline)
        if not headers:
            self._client.send(subject, body, reply, at_once=at_once)
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._client.publish(subject, body, reply, dict(headers))
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            raise NotTaken(str(error)) from None

    async def flush(self) -> bool:
        """Wait until the broker has taken all that was sent so far. False where it is not there, or does not answer."""
        return await self._client.ping()

    # Listening

    def new_inbox(self) -> str:
        """A subject of our own, to be subscribed to with one more word behind it."""
        return f"{self._inbox}.{next(self._numbers)}"

    async def subscribe(self, subject: str, callback: Callback, queue: str = "", *, is_hosts: bool = False) -> Interest:
        """Have messages given to the callback, also after the connection was broken and mended."""
        interest = Interest(subject, queue, callback, is_hosts)
        async with self._changing:
            await interest.subscribe(self._client)
            self._interests.append(interest)
        return interest

    async def withdraw(self, *interests: Interest) -> None:
        """Take nothing new; returns when all that the broker had sent until then was given to its callback."""
        async with self._changing:
            for interest in interests:
                self._interests.remove(interest)
            past = [item for interest in interests for item in interest.subscriptions.items()]
            await unsubscribe(past)
        await drain(past)

    def _answered(self, message: Msg) -> None:
        answer = self._answers.get(message.subject[len(self._inbox) + 1 :])
        if answer is not None and not answer.done():
            answer.set_result(message)

    def could_hear(self, since: float) -> bool:
        """Whether the connection has been there without a break since then, by the loop's clock."""
        return self._client.is_connected and self._mended_at < since

    # Connecting, and mending

    async def _until_it_takes_more(self, deadline: float) -> None:
        """Raises NotTaken, or TimeoutError where the broker does not read."""
        while not self._client.takes_more:
            await self._connected(deadline)
            async with asyncio.timeout_at(deadline):
                await self._client.make_room()

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

    async def _dial(self, access: Access) -> BrokerClient:
        client = BrokerClient(access)
        client.on_denied = self._on_denied
        await client.dial(
            *(partial(event, client) for event in (self._on_disconnected, self._on_reconnected, self._on_lame_duck))
        )
        return client

    def _on_denied(self, subject: str) -> None:
        for token, asked in self._asked.items():
            if asked.lower() == subject and not self._answers[token].done():
                self._answers[token].set_exception(Denied(asked))
        for callback in self.on_denied:
            callback(subject)

    async def _on_disconnected(self, client: BrokerClient) -> None:
        if client is self._client and not self._closing:
            count("transport.disconnected")
            log.warning("transport.disconnected", broker=self.url)

    async def _on_reconnected(self, client: BrokerClient) -> None:
        log.info("transport.reconnected", broker=self.url, server=client.netloc)
        self._mended_at = asyncio.get_running_loop().time()
        self._mended.set()
        for callback in self.on_mended:
            callback()

    async def _on_lame_duck(self, client: BrokerClient) -> None:
        """The server of this client is about to leave. Called by the reader, which must not be held up."""
        if client is self._client and not self._is_moving and not self._closing:
            self._moving = self._tasks.take(self._move(client))

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self._look_after(self._client)
            except Exception as error:  # noqa: BLE001  # whatever the library comes upon, the next look may mend it
                log.error("transport.watch_failed", broker=self.url, exc_info=error)

    async def _look_after(self, client: BrokerClient) -> None:
        if self._is_moving:
            return  # within seconds there is another client to look after
        if client.is_closed:
            await self._replace()
        elif client.is_deaf:
            await client.break_off("the reader has ended")
        else:
            await client.ping()

    async def _replace(self) -> None:
        """The broker refused something in a way that made the library close for good: begin anew."""
        try:
            client = await self._dial(self._access)
            async with self._changing:
                for interest in self._interests:
                    interest.subscriptions.clear()
                    await interest.subscribe(client)
                self._client = client
        except (BrokerUnreachable, nats.errors.Error):
            return
        await self._on_reconnected(client)

    # Moving

    @property
    def _is_moving(self) -> bool:
        return self._moving is not None and not self._moving.done()

    async def _move(self, old: BrokerClient) -> None:
        """Go over to another server while this one still works: listen there too, speak there, and only then leave.
        What arrives by both is taken once. Where there is no other, we stay until we are sent away."""
        log.info("transport.moving", broker=self.url, server=old.netloc)
        try:
            useless = client = await self._dial(replace(self._access, servers=old.known_servers))
        except BrokerUnreachable as error:
            log.warning("transport.nowhere_to_move", broker=self.url, reason=error.reason)
            return
        try:
            await self._listen_by(client)
            self._client, useless = client, old
            self._mended.set()
            await self._listen_no_more_by(old)
            await self._overhear_no_more(client)
            log.info("transport.moved", broker=self.url, server=client.netloc)
        finally:
            await self._part_with(useless)

    async def _listen_by(self, client: BrokerClient) -> None:
        async with self._changing:
            for interest in self._interests:
                interest.seen = set()
                await interest.overhear(client)
            await client.ping()

    async def _listen_no_more_by(self, client: BrokerClient) -> None:
        async with self._changing:
            theirs = [interest.subscriptions for interest in self._interests if client in interest.subscriptions]
            past = [(client, subscriptions.pop(client)) for subscriptions in theirs]
            await unsubscribe(past)
        await drain(past)

    async def _overhear_no_more(self, client: BrokerClient) -> None:
        async with self._changing:
            past: Past = []
            for interest in self._interests:
                if interest.is_hosts and client in interest.subscriptions:
                    past.append((client, interest.subscriptions[client]))
                    await interest.subscribe(client)
            await client.ping()  # from then on we are in the queue again
            await unsubscribe(past)
        await drain(past)

    async def _part_with(self, client: BrokerClient) -> None:
        for interest in self._interests:
            interest.subscriptions.pop(client, None)
        await client.leave()
        asyncio.get_running_loop().call_later(LATE_SECONDS, self._forget_seen)

    def _forget_seen(self) -> None:
        for interest in self._interests:
            interest.seen = None
