"""Parked messages in the queues of their addresses: read without being taken out.

A queue can only give messages out and take them back. So whoever reads is alone with them for that time, and then puts
all of them back in their order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import accumulate
from operator import itemgetter
from typing import Any

from aiormq import Channel, ChannelLockedResource
from aiormq.abc import DeliveredMessage

from midflight.errors import InvalidValue
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

AT = "midflight-parked-at"
"""Our header for when it was parked, in microseconds of Unix time: what lies in several queues is put in its order."""

ALL = 0
"""The delivery tag that stands for all that a channel has been given and has not settled."""


class Parked:
    """The parked messages of a project."""

    def __init__(self, connection: Connection, outbox: Outbox, queues: Queues) -> None:
        self._connection, self._outbox, self._queues = connection, outbox, queues
        self._reading = asyncio.Lock()

    async def keep(self, message: ParkedMessage, seconds: float) -> None:
        """Have a message stored, and its place noted. Raises TimeoutError where the broker does not confirm both within
        so many seconds: then who has the cast in hand has to keep it."""
        address, names = message.address, self._queues.names
        headers: dict[str, Any] = {MESSAGE_ID: message.message_id, AT: time.time_ns() // 1000}
        headers |= {FROM: user_of(message.sender)} if message.sender else {}
        await asyncio.gather(
            self._outbox.keep(names.places, b"", {MESSAGE_ID: str(address)}, seconds),
            self._outbox.keep(names.parked(address), pack(message.facts, message.body), headers, seconds),
        )

    async def read(self, address: Address | None) -> list[ParkedMessage]:
        """Those of an address, or all of them, oldest first; of one that was kept twice the first. Raises one of
        FAILURES."""
        if address is not None:
            found, _ = await self._read(self._queues.names.parked(address), "")
            return [_unpacked(address, message) for message in found]
        places, _ = await self._read(self._queues.names.places, "")
        dated = list[tuple[int, ParkedMessage]]()
        for where in filter(None, (_address_of(message_id_of(place)) for place in places)):
            found, _ = await self._read(self._queues.names.parked(where), "")
            # Clocks may differ; what came later to one place is shown later all the same.
            times = accumulate((_time_of(message) for message in found), max)
            dated += zip(times, (_unpacked(where, message) for message in found), strict=True)
        return [message for _, message in sorted(dated, key=itemgetter(0))]

    async def find(self, address: Address, message_id: str) -> ParkedMessage | None:
        """The one with this id; all of its address are read for it. Errors as of ``read``."""
        return next((message for message in await self.read(address) if message.message_id == message_id), None)

    async def delete(self, address: Address, message_id: str) -> bool:
        """Let one go, however often it was kept; says whether it was there. Errors as of ``read``."""
        return (await self._read(self._queues.names.parked(address), message_id))[1]

    async def _read(self, queue: str, let_go: str) -> tuple[list[DeliveredMessage], bool]:
        """All of a queue but the one that is let go, and whether that was there."""
        async with asyncio.timeout(READ_SECONDS), self._reading:
            link = await self._connection.link(asyncio.get_running_loop().time() + READ_SECONDS)
            if not await self._queues.is_there(link, queue):
                return [], False
            async with self._alone(link, self._queues.names.reader(queue)):
                return await self._all(link, queue, let_go)

    @asynccontextmanager
    async def _alone(self, link: Link, name: str) -> AsyncIterator[None]:
        """While no other connection reads: each would see only what the other has not taken out."""
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


def _unpacked(address: Address, message: DeliveredMessage) -> ParkedMessage:
    """Whose it is, is said by its queue: what it says of itself, its sender could have made up."""
    facts, body = unpack(message.body)
    return ParkedMessage(address, body, message_id_of(message), facts, first_sender(message))


def _time_of(message: DeliveredMessage) -> int:
    """When it was parked, in microseconds of Unix time."""
    at = headers_of(message).get(AT)
    return at if isinstance(at, int) else 0


def _address_of(place: str) -> Address | None:
    """The address that was noted by its text; None where somebody else has noted something else."""
    topic, _, host = place.partition("@")
    try:
        return Address(topic, host or None)
    except InvalidValue:
        return None
