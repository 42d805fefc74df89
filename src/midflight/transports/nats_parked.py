"""Parked messages in their stream, each under a subject of its own that begins with its address.

So the broker can say who may read, and let go of, which of them: that takes no more than the right to a subject.
"""

from __future__ import annotations

import asyncio

import msgspec
from nats.aio.msg import Msg

from midflight.transports.base import Address, ParkedMessage
from midflight.transports.nats_bodies import Bodies, Gone
from midflight.transports.nats_connection import Connection
from midflight.transports.nats_message import (
    FROM,
    first_sender,
    identity,
    message_id_of,
    sequence_of,
    subject_of,
)
from midflight.transports.nats_store import API_SECONDS, PAUSE_SECONDS, Store
from midflight.transports.nats_subjects import address_in
from midflight.transports.parked_form import pack, unpack

_MOST = 10_000
"""So many are remembered."""


class Parked:
    """The parked messages of a project. Errors as of ``Store.ask``."""

    def __init__(self, connection: Connection, store: Store, bodies: Bodies, headroom: int) -> None:
        self._connection, self._store, self._bodies, self._headroom = connection, store, bodies, headroom
        self._known: dict[str, None] = {}
        """The subjects of those that are there, as far as we have been told."""

    async def put(self, message: ParkedMessage, timeout: float) -> None:
        """Have it stored. Raises TimeoutError if nobody confirms."""
        address, name = message.address, message.message_id
        stored = await self._bodies.put(address, message.body, f"parked {name}", timeout)
        facts = _cut(message.facts, self._connection.max_payload - self._headroom - len(stored))
        subject = self._store.subjects.park(address, name)
        sender = {FROM: f"{message.sender.service}.{message.sender.host}"} if message.sender else {}
        # The broker knows ids for all addresses at once.
        await self._store.put(subject, pack(facts, stored), identity(name, str(address)) | sender, timeout)
        self._remember(subject)

    async def read(self, address: Address | None) -> list[ParkedMessage]:
        """Those of an address, or all of them, oldest first. In a cluster, who lists them may hear later, too."""
        where = self._store.subjects.parked_at(address)
        listed = [message.subject for message in await self._store.listed(self._store.subjects.parked, where)]
        beginning = where.partition("*")[0]
        missed = [subject for subject in self._known.keys() - {*listed} if subject.startswith(beginning)]
        for subject in listed:
            self._remember(subject)
        stored = [await self._stored(subject) for subject in listed]
        stored += await asyncio.gather(*(self._stored(subject) for subject in missed))
        there = sorted((message for message in stored if message is not None), key=sequence_of)
        return [await self._unpacked(message) for message in there]

    async def find(self, address: Address, message_id: str) -> ParkedMessage | None:
        """The one with this id."""
        stored = await self._stored(self._store.subjects.park(address, message_id))
        return None if stored is None else await self._unpacked(stored)

    async def delete(self, address: Address, message_id: str) -> bool:
        """Says whether it was there."""
        subject = self._store.subjects.park(address, message_id)
        stored = await self._stored(subject)
        if stored is None or not await self._store.replace(subject, sequence_of(stored)):
            return False
        self._known.pop(subject, None)
        await self._bodies.drop(address, unpack(stored.data)[1])
        return True

    async def _stored(self, subject: str) -> Msg | None:
        """The message there; an empty one has taken the place of one that was let go. In a cluster, who answers may
        hear later of what we know of."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + API_SECONDS
        while (message := await self._store.last_at(self._store.subjects.parked, subject)) is None:
            if self._store.replicas == 1 or subject not in self._known or loop.time() > deadline:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        if message is not None and message.data:
            return message
        self._known.pop(subject, None)
        return None

    def _remember(self, subject: str) -> None:
        self._known[subject] = None
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]

    async def _unpacked(self, message: Msg) -> ParkedMessage:
        facts, stored = unpack(message.data)
        address = address_in(subject_of(message))
        try:
            body = await self._bodies.get(address, stored)
        except Gone as gone:
            body, facts = stored, {"body": str(gone), **facts}
        return ParkedMessage(address, body, message_id_of(message), facts, first_sender(message))


def _cut(facts: dict[str, str], room: int) -> dict[str, str]:
    """The same facts, each cut to the greatest of some lengths with which all of them fit into this many bytes."""
    for length in (10_000, 2_000, 500, 100):
        cut = {name: fact[:length] for name, fact in facts.items()}
        if len(msgspec.msgpack.encode(cut)) <= room:
            return cut
    return {}
