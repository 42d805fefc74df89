"""Large calls at their receiver: a request is put together here, and an answer is handed out, part by part."""

from __future__ import annotations

import asyncio

from nats.aio.msg import Msg

from midflight.transports.base import MAX_WHOLE
from midflight.transports.nats_connection import Connection, NotTaken
from midflight.transports.nats_parts import (
    NO_ROOM,
    PART_SECONDS,
    Part,
    Room,
    Transfers,
    part_in,
    receive,
    refuse,
    send,
    wanted_in,
    wanting,
)


class LargeCalls:
    """Those of one listener. What belongs to a body on its way is sent to the listener's own ``inbox``, for on its host
    it may not be alone; a peer that knows no better sends it to the ``host``. A listener without a host takes no large
    calls."""

    def __init__(self, connection: Connection, host: str | None, inbox: str) -> None:
        self._connection, self._host, self._inbox = connection, host or "", inbox
        self._transfers, self._coming, self._going = Transfers(), Room(), Room()

    def begun_by(self, message: Msg) -> Part | None:
        """The part with which a new call begins; None where a message is something else, which is dealt with."""
        part = part_in(message)
        if part is None or part.start:
            self.go_on(message)
        elif message.reply in self._transfers:
            refuse(message.reply, "a first part that has come before")
        else:
            return part
        return None

    def go_on(self, message: Msg) -> None:
        """Take what belongs to a body on its way."""
        self._transfers.take(message.reply, part_in(message) or wanted_in(message), message)

    async def received(self, message: Msg, part: Part) -> bytes | None:
        """The whole body that begins with this message; None where there is no room for it, or it did not come."""
        sender = message.reply.rpartition(".")[0]
        with self._coming.of(sender, part.size) as has_room:
            if not (has_room and self._host and len(message.data) < part.size <= self._most):
                refuse(message.reply, f"no room for a body of {part.size} bytes")
                await self._ask(message.reply, NO_ROOM)
                return None
            try:
                with self._transfers.begin(message.reply) as transfer:
                    return await receive(
                        transfer, message.data, part.size, lambda start: self._ask(message.reply, start)
                    )
            except (TimeoutError, NotTaken):
                refuse(message.reply, "a body of which a part did not come")
            except ValueError as wrong:
                refuse(message.reply, str(wrong))
        return None

    @property
    def _most(self) -> int:
        return max(MAX_WHOLE, self._connection.max_body)

    async def _ask(self, reply: str, start: int) -> None:
        await self._say(reply, b"", wanting(start, self._host))

    async def send(self, reply: str, answer: bytes) -> None:
        """Send an answer in parts, as its caller asks for them. Raises NotTaken, or TimeoutError when nobody asks any
        more, or too many are on their way."""

        async def say(body: bytes, part: Part, _: Msg | None) -> None:
            await self._say(reply, body, Part(part.start, part.size, self._host).headers)

        with self._going.of(reply.rpartition(".")[0], len(answer)) as has_room:
            if not (has_room and self._host):
                raise TimeoutError("too many large answers are on their way")
            with self._transfers.begin(reply) as transfer:
                await send(transfer, answer, self._connection.max_body, say)

    async def _say(self, reply: str, body: bytes, headers: dict[str, str]) -> None:
        deadline = asyncio.get_running_loop().time() + PART_SECONDS
        await self._connection.publish(reply, body, deadline=deadline, reply=self._inbox, headers=headers)
