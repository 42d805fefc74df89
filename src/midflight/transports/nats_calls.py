"""Our own calls through a NATS broker, with an inbox of their own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from nats.aio.msg import Msg

from midflight.transports.awaited import OwnCalls
from midflight.transports.base import MAX_WHOLE, Address, Identity
from midflight.transports.nats_connection import Connection, Denied, NotTaken
from midflight.transports.nats_message import NO_RESPONDERS, cancelling, sign_in, status_of
from midflight.transports.nats_parts import Part, Transfers, part_in, receive, refuse, send, wanted_in, wanting
from midflight.transports.nats_subjects import Subjects, last_word
from midflight.transports.signs import new_name


class Calls:
    """The calls of one member."""

    def __init__(self, connection: Connection, subjects: Subjects, identity: Identity) -> None:
        self._connection, self._subjects, self._identity = connection, subjects, identity
        self._inbox = connection.new_inbox()
        self._calls = OwnCalls[Msg](self._cancel, connection.could_hear)
        self._transfers = Transfers()

    async def start(self) -> None:
        """Listen for the answers."""
        self._connection.on_denied.add(self._denied)
        await self._connection.subscribe(f"{self._inbox}.*", self._heard)

    async def stop(self) -> None:
        """Send the last cancellations."""
        await self._calls.stop()

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """Send, and wait for the answer. Raises NotTaken, Denied among it; Silent or TimeoutError where it may have
        been taken."""
        deadline, name = asyncio.get_running_loop().time() + timeout, new_name(timeout)
        subject, reply = self._subjects.call(address, self._identity), f"{self._inbox}.{name}"
        answer = self._calls.begin(name, address, deadline)
        try:
            if len(body) <= self._connection.max_body:
                await self._connection.publish(
                    subject, body, deadline=deadline, reply=reply, at_once=len(self._calls) == 1
                )
            else:
                await self._send_in_parts(address, name, body, answer, deadline)
            message = await answer
            whole = await self._whole(address, name, message, deadline) if message.headers else message.data
        except BaseException:
            self._calls.give_up(name)
            raise
        self._calls.end(name)
        return whole

    async def _send_in_parts(
        self, address: Address, name: str, body: bytes, answer: asyncio.Future[Msg], deadline: float
    ) -> None:
        """All of it, or as much as is wanted before it is answered. Raises NotTaken where the last part did not go
        out."""
        left = len(body)

        async def say(part: bytes, place: Part, asked: Msg | None) -> None:
            nonlocal left
            host = ((asked and wanted_in(asked)) or place).host
            own = self._place_of(asked)
            self._calls.runs_at(name, host, own)
            left -= len(part)
            await self._publish(own or self._at(address, host), part, place.headers, deadline, name)

        try:
            async with asyncio.timeout_at(deadline):
                with self._transfers.begin(name) as transfer:
                    await send(transfer, body, self._connection.max_body, say, answer)
        except BlockingIOError:
            raise NotTaken(f"{address} has no room for so much now") from None
        except TimeoutError:
            if left:
                raise NotTaken(f"nobody at {address} takes the rest of it") from None
            raise
        if left and answer.done() and answer.exception():
            raise NotTaken(f"who took the beginning at {address} has vanished")

    async def _whole(self, address: Address, name: str, message: Msg, deadline: float) -> bytes:
        """The answer, which may be but the first part of it. Raises TimeoutError when another one does not come."""
        if status_of(message) == NO_RESPONDERS:
            raise NotTaken(f"nobody listens at {address}")
        part = part_in(message)
        if part is None or part.size <= len(message.data):
            return message.data

        async def ask(start: int) -> None:
            place = self._place_of(message) or self._at(address, part.host)
            await self._publish(place, b"", wanting(start), deadline, name)

        try:
            if part.size > max(MAX_WHOLE, self._connection.max_body):
                raise ValueError(f"an answer of {part.size} bytes")
            async with asyncio.timeout_at(deadline):
                with self._transfers.begin(name) as transfer:
                    return await receive(transfer, message.data, part.size, ask)
        except ValueError as wrong:
            refuse(f"{address}.", str(wrong))
            raise TimeoutError from None
        except NotTaken:
            raise TimeoutError from None

    def _place_of(self, said: Msg | None) -> str:
        """The subject on which the very listener hears us that has said this of a call that it has in hand; empty for a
        peer that names none. Nobody can have us speak elsewhere than in an inbox."""
        return said.reply if said is not None and said.reply.startswith(f"{self._subjects.inboxes}.") else ""

    def _at(self, address: Address, host: str) -> str:
        """The subject on which such a peer hears us, with whoever else listens on its host."""
        return self._subjects.call(Address(address.topic, host or address.host), self._identity)

    def _denied(self, subject: str) -> None:
        for address in self._calls.addresses:
            if self._subjects.call(address, self._identity).lower() == subject:
                self._calls.fail(address, Denied(subject))

    def _heard(self, message: Msg) -> None:
        name = last_word(message.subject)
        if not message.headers:
            self._calls.answered(name, message)
        elif (sign := sign_in(message)) is not None:
            host, pause = sign
            self._calls.runs_at(name, host, self._place_of(message))  # first: the sign may be waited for, to cancel it
            self._calls.sign(name, host, pause)
        elif (wanted := wanted_in(message)) is not None:
            self._transfers.take(name, wanted, message)
        elif (part := part_in(message)) is not None and part.start:
            self._transfers.take(name, part, message)
        else:
            self._calls.answered(name, message)

    async def _cancel(self, address: Address, place: str, name: str, deadline: float) -> None:
        with suppress(NotTaken, TimeoutError):
            subject = place or self._subjects.call(address, self._identity)
            await self._connection.publish(subject, b"", deadline=deadline, headers=cancelling(name))

    async def _publish(self, subject: str, body: bytes, headers: dict[str, str], deadline: float, name: str) -> None:
        reply = f"{self._inbox}.{name}"
        await self._connection.publish(subject, body, deadline=deadline, reply=reply, headers=headers)
