"""Our own calls through a NATS broker, with an inbox of their own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from nats.aio.msg import Msg

from midflight.transports.awaited import OwnCalls
from midflight.transports.base import Address
from midflight.transports.nats_connection import Connection, NotTaken
from midflight.transports.nats_message import NO_RESPONDERS, cancelling, sign_in, status_of
from midflight.transports.nats_subjects import Subjects, last_word
from midflight.transports.signs import new_name


class Calls:
    """The calls of one member."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection, self._subjects = connection, subjects
        self._inbox = connection.new_inbox()
        self._calls = OwnCalls[Msg](self._cancel, connection.could_hear)

    async def start(self) -> None:
        """Listen for the answers."""
        await self._connection.subscribe(f"{self._inbox}.*", self._heard)

    async def stop(self) -> None:
        """Send the last cancellations."""
        await self._calls.stop()

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """Send, and wait for the answer. Raises NotTaken; Silent or TimeoutError where it may have been taken."""
        deadline, name = asyncio.get_running_loop().time() + timeout, new_name(timeout)
        subject, reply = self._subjects.call(address), f"{self._inbox}.{name}"
        answer = self._calls.begin(name, address)
        try:
            await self._connection.publish(subject, body, deadline=deadline, reply=reply)
            # A second timeout: the library swallows a cancellation that meets it in the middle of a flush.
            async with asyncio.timeout_at(deadline):
                message = await answer
        except BaseException:
            self._calls.give_up(name)
            raise
        self._calls.end(name)
        if status_of(message) == NO_RESPONDERS:
            raise NotTaken(f"nobody subscribes to {subject}")
        return message.data

    def _heard(self, message: Msg) -> None:
        name = last_word(message.subject)
        if (sign := sign_in(message)) is None:
            self._calls.answered(name, message)
        else:
            self._calls.sign(name, *sign)

    async def _cancel(self, address: Address, name: str, deadline: float) -> None:
        subject, headers = self._subjects.call(address), cancelling(name)
        with suppress(NotTaken, TimeoutError):
            await self._connection.publish(subject, b"", deadline=deadline, headers=headers)
