"""Parked messages in their stream, and where each of them lies there."""

from __future__ import annotations

import msgspec
from nats.aio.msg import Msg

from midflight.transports.base import ParkedMessage
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
from midflight.transports.nats_store import Store
from midflight.transports.nats_subjects import address_in
from midflight.transports.parked_form import pack, unpack

_MOST = 10_000
"""So many places are remembered; what is forgotten is looked for."""


class Parked:
    """The parked messages of a project. Errors as of ``Store.ask``."""

    def __init__(self, connection: Connection, store: Store, bodies: Bodies, headroom: int) -> None:
        self._connection, self._store, self._bodies, self._headroom = connection, store, bodies, headroom
        self._places: dict[str, int] = {}
        """In the stream, by id."""

    async def put(self, message: ParkedMessage, timeout: float) -> None:
        """Have it stored. Raises TimeoutError if nobody confirms."""
        stored = await self._bodies.put(message.address, message.body, f"parked {message.message_id}", timeout)
        facts = _cut(message.facts, self._connection.max_payload - self._headroom - len(stored))
        body = pack(facts, stored)
        subject = self._store.subjects.park(message.address)
        sender = {FROM: f"{message.sender.service}.{message.sender.host}"} if message.sender else {}
        place = await self._store.put(subject, body, identity(message.message_id, "") | sender, timeout)
        self._remember(message.message_id, place)

    async def read(self) -> list[ParkedMessage]:
        """All of them, oldest first."""
        found, place = list[ParkedMessage](), 0
        while stored := await self._store.next_parked(place + 1):
            place, message = sequence_of(stored), await self._unpacked(stored)
            self._remember(message.message_id, place)
            found.append(message)
        return found

    async def find(self, message_id: str) -> ParkedMessage | None:
        """The one with this id. Where we know its place, one question is enough; else all are looked through."""
        if (place := self._places.pop(message_id, 0)) and (stored := await self._store.parked_at(place)):
            self._remember(message_id, place)
            return await self._unpacked(stored)
        return next((message for message in await self.read() if message.message_id == message_id), None)

    async def delete(self, message_id: str) -> bool:
        """Says whether it was there."""
        if await self.find(message_id) is None:
            return False
        place = self._places.pop(message_id)
        stored = await self._store.parked_at(place)
        is_gone = await self._store.delete_parked(place)
        if is_gone and stored is not None:
            await self._bodies.drop(address_in(subject_of(stored)), unpack(stored.data)[1])
        return is_gone

    def _remember(self, message_id: str, place: int) -> None:
        self._places[message_id] = place
        if len(self._places) > _MOST:
            del self._places[next(iter(self._places))]

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
