"""Bodies of stored messages that are too large for one: their parts lie in a stream of their own.

What is put where casts wait, or where parked messages lie, is then a *ticket* for the body. The parts are stored before
it, each confirmed; so what was accepted has all of them. When the message is done with, each part is replaced by an
empty one.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import suppress

import msgspec
from nats.aio.msg import Msg

from midflight.transports.base import MAX_WHOLE, Address
from midflight.transports.nats_connection import Connection, NotTaken
from midflight.transports.nats_message import identity, status_of
from midflight.transports.nats_store import API, API_SECONDS, PAUSE_SECONDS, Store

TICKET = b"\xc1midflight-body"
"""What a ticket begins with. No message of ours does: MessagePack has no such first byte."""

AT_ONCE = 4
"""So many bodies are put together at once by one listener."""


class _Ticket(msgspec.Struct, array_like=True):
    subject: str
    """Of the parts, less the last word, which is a number from 0 on."""
    size: int
    step: int
    """Bytes of each part but the last."""

    @property
    def parts(self) -> list[tuple[str, int]]:
        """The subject of each, and how many bytes it has."""
        starts = range(0, self.size, self.step)
        return [(f"{self.subject}.{n}", min(self.step, self.size - start)) for n, start in enumerate(starts)]


class Gone(Exception):
    """The parts of a body are not kept any more, or its ticket is none of ours."""


def is_ticket(stored: bytes) -> bool:
    """Whether it stands for a body that lies in parts."""
    return stored.startswith(TICKET)


class Bodies:
    """The bodies of a project that lie in parts."""

    def __init__(self, connection: Connection, store: Store) -> None:
        self._connection, self._store = connection, store
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def put(self, address: Address, body: bytes, name: str, timeout: float) -> bytes:
        """What to store in place of a body, which is often the body itself. ``name`` tells this message from all others
        of the address. Raises TimeoutError where a part is not confirmed within so many seconds."""
        step = self._connection.max_body
        if len(body) <= step and not is_ticket(body):
            return body
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        ticket = _Ticket(self._store.subjects.body(address, digest), len(body), step)
        start = 0
        for subject, size in ticket.parts:
            await self._store.put(subject, body[start : start + size], identity(secrets.token_hex(8), ""), timeout)
            start += size
        return TICKET + msgspec.msgpack.encode(ticket)

    async def get(self, address: Address, stored: bytes) -> bytes:
        """The body itself. Raises Gone where it cannot be had any more; NotTaken, TimeoutError."""
        if not is_ticket(stored):
            return stored
        ticket = self._read(address, stored)
        async with self._turns:
            return b"".join([await self._part(subject, size) for subject, size in ticket.parts])

    async def drop(self, address: Address, stored: bytes) -> None:
        """Keep its parts no longer; best effort, for the broker drops them some day."""
        with suppress(Gone, NotTaken, TimeoutError):
            for subject, _ in self._read(address, stored).parts if is_ticket(stored) else ():
                deadline = asyncio.get_running_loop().time() + API_SECONDS
                await self._connection.publish(subject, b"", deadline=deadline)

    def _read(self, address: Address, stored: bytes) -> _Ticket:
        """A ticket of somebody else is worth nothing here: it leads to bodies of its own address only."""
        try:
            ticket = msgspec.msgpack.decode(stored[len(TICKET) :], type=_Ticket)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Gone("its ticket cannot be read") from None
        place, _, name = ticket.subject.rpartition(".")
        known = place in (
            self._store.subjects.bodies_of(address),
            self._store.subjects.bodies_of(Address(address.topic)),
        )
        largest = max(MAX_WHOLE, self._connection.max_body)
        if not (known and name.isalnum() and 0 < ticket.size <= largest and ticket.size <= 1000 * ticket.step):
            raise Gone("its ticket is none of ours")
        return ticket

    async def _part(self, subject: str, size: int) -> bytes:
        """In a cluster, whoever answers may hear of what was stored a little later."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + API_SECONDS
        while True:
            message = await self._found(subject)
            if status_of(message) is None and len(message.data) == size:
                return message.data
            if self._store.replicas == 1 or loop.time() > deadline:
                raise Gone("its parts are not kept any more")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _found(self, subject: str) -> Msg:
        return await self._connection.request(
            f"{API}.DIRECT.GET.{self._store.subjects.bodies}.{subject}", b"", API_SECONDS
        )
