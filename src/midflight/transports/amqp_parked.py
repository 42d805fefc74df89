"""Parked messages in their queue: read without being taken out.

A queue can only give messages out and take them back. So whoever reads is alone with them for that time, and then puts
all of them back in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiormq import Channel, ChannelLockedResource
from aiormq.abc import DeliveredMessage

from midflight.transports.amqp_connection import Connection
from midflight.transports.amqp_link import FAILURES, Link, ask
from midflight.transports.amqp_outbox import MESSAGE_ID, Outbox, headers_of, message_id_of
from midflight.transports.amqp_queues import Queues
from midflight.transports.amqp_senders import FROM, first_sender, user_of
from midflight.transports.base import Address, ParkedMessage
from midflight.transports.parked_form import pack, unpack

READ_SECONDS = 30.0
"""How long one may wait for another reader, and then for all messages."""

PAUSE_SECONDS = 0.1

TOPIC = "midflight-topic"
HOST = "midflight-host"

ALL = 0
"""The delivery tag that stands for all that a channel has been given and has not settled."""


class Parked:
    """The parked messages of a project."""

    def __init__(self, connection: Connection, outbox: Outbox, queues: Queues) -> None:
        self._connection, self._outbox, self._queues = connection, outbox, queues
        self._reading = asyncio.Lock()

    async def keep(self, message: ParkedMessage, seconds: float) -> None:
        """Have a message stored. Raises TimeoutError where the broker does not confirm within so many seconds."""
        headers = {MESSAGE_ID: message.message_id, TOPIC: message.address.topic, HOST: message.address.host or ""}
        headers |= {FROM: user_of(message.sender)} if message.sender else {}
        await self._outbox.store_parked(pack(message.facts, message.body), headers, seconds)

    async def read(self) -> list[ParkedMessage]:
        """All of them, oldest first; of one that was kept twice the first. Raises one of FAILURES."""
        return (await self._read(""))[0]

    async def find(self, message_id: str) -> ParkedMessage | None:
        """The one with this id; all are read for it. Errors as of ``read``."""
        return next((message for message in await self.read() if message.message_id == message_id), None)

    async def delete(self, message_id: str) -> bool:
        """Let one go, however often it was kept; says whether it was there. Errors as of ``read``."""
        return (await self._read(message_id))[1]

    async def _read(self, let_go: str) -> tuple[list[ParkedMessage], bool]:
        """All but the one that is let go, and whether that was there."""
        async with asyncio.timeout(READ_SECONDS), self._reading:
            link = await self._connection.link(asyncio.get_running_loop().time() + READ_SECONDS)
            async with self._alone(link):
                queue = await self._queues.declare_parked(link)
                messages, gone = await self._all(link, queue, let_go)
                return [_unpacked(message) for message in messages], gone

    @asynccontextmanager
    async def _alone(self, link: Link) -> AsyncIterator[None]:
        """While no other connection reads: each would see only what the other has not taken out."""
        name = self._queues.names.parked_reader
        while True:
            with suppress(ChannelLockedResource):
                await self._queues.declare_exclusive(link, name)
                break
            await asyncio.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            await self._queues.delete(link, name)

    async def _all(self, link: Link, queue: str, let_go: str) -> tuple[list[DeliveredMessage], bool]:
        channel, messages, gone = await link.new_channel(), dict[str, DeliveredMessage](), False
        try:
            while (message := await ask(channel.basic_get(queue))).delivery_tag is not None:
                key = message_id_of(message) or f"nameless {message.delivery_tag}"
                is_let_go = bool(let_go) and message_id_of(message) == let_go
                if is_let_go or messages.setdefault(key, message) is not message:
                    await ask(channel.basic_ack(message.delivery_tag))
                gone = gone or is_let_go
        finally:
            await self._put_back(link, channel, queue, len(messages))
        return [*messages.values()], gone

    async def _put_back(self, link: Link, channel: Channel, queue: str, total: int) -> None:
        """Where this fails, the broker puts them back when the connection ends."""
        with suppress(*FAILURES):
            await ask(channel.basic_nack(ALL, multiple=True))
            while await self._queues.count(link, queue) < total:  # noqa: ASYNC110  # nothing but the count tells
                await asyncio.sleep(PAUSE_SECONDS)
        with suppress(*FAILURES):
            await ask(channel.close())


def _unpacked(message: DeliveredMessage) -> ParkedMessage:
    headers = headers_of(message)
    facts, body = unpack(message.body)
    address = Address(str(headers.get(TOPIC, "unknown")), str(headers.get(HOST, "")) or None)
    return ParkedMessage(address, body, message_id_of(message), facts, first_sender(message))
