"""One call, from its first sending to its one outcome: answered, NotDelivered or Unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from midflight.errors import InvalidValue, MalformedMessage, NotDelivered, Unknown
from midflight.rpc import messages
from midflight.rpc.floors import Floors
from midflight.rpc.messages import Reply, Request
from midflight.rpc.rights import forbidden
from midflight.rpc.sizes import check_request
from midflight.rpc.time_limits import TimeLimits
from midflight.transports.base import Address, Forbidden, NoAnswer, NobodyListens, Transport, Vanished

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds between tries while nobody listens: doubled each time, and never more than half of what is left."""

AGAIN = 0.5
"""The share of what is left after which an idempotent endpoint is asked again."""


@dataclass(slots=True)
class Call:
    """``deadline`` is in time.monotonic() seconds. ``manifest_text`` is sent only when the callee asks for it."""

    transport: Transport
    floors: Floors
    address: Address
    request: Request
    what: str
    deadline: float
    idempotent: bool
    manifest_text: dict[str, list[str]]
    limits: TimeLimits
    _open: int = 0
    """How many of its tries may have run: those that went out, and were not refused."""
    _turn: Address | None = None
    """The one member of the topic to send to next."""

    async def reply(self) -> Reply:
        """The callee's reply, before the deadline.

        Raises NotDelivered when it certainly did not run, Unknown when it may have, MessageTooLarge before anything is
        sent, MalformedMessage for an answer that is none of ours.
        """
        if self._left() <= 0:
            raise NotDelivered(what=self.what, reason="its deadline had passed before it was sent")
        try:
            return await self.limits.hold(asyncio.get_running_loop().time() + self._left(), self._answered())
        except (NotDelivered, Unknown):
            raise
        except TimeoutError:
            raise self._late() from None

    def _left(self) -> float:
        return self.deadline - time.monotonic()

    def _late(self) -> NotDelivered | Unknown:
        if self._open:
            return Unknown(what=self.what, reason=f"no answer from {self.address} before its deadline")
        return NotDelivered(what=self.what, reason=f"nobody listened at {self.address} before its deadline")

    def _abandoned(self, gone: Vanished) -> Unknown:
        reason = f"whoever had it in hand at {self.address} has given no sign of life for {gone.seconds:.1f} s"
        return Unknown(what=self.what, reason=reason)

    async def _answered(self) -> Reply:
        reply = await self._delivered()
        if reply.status == "need_manifest":
            self.request.manifest_text = self.manifest_text
            self._turn = None if self.address.host else self._member(reply)
            reply = await self._delivered()
        if reply.status == "need_manifest":
            raise MalformedMessage(sender=str(reply.sender), reason="it got our manifest, and asked for it again")
        if self._open and _did_not_run(reply):
            raise Unknown(what=self.what, reason="its last try was refused, but an earlier one may have run")
        return reply

    def _member(self, reply: Reply) -> Address | None:
        """Where the very member listens that asked, so that it learns our manifest and need not ask again."""
        try:
            return Address(self.address.topic, reply.sender.host)
        except InvalidValue:  # its host has a name that is no address
            return None

    async def _delivered(self) -> Reply:
        """Send until somebody listens."""
        pause = _SHORTEST_PAUSE
        while True:
            try:
                return await (self._asked_twice() if self.idempotent else self._asked())
            except Forbidden:
                raise forbidden(self.what, self.request, self.address) from None
            except NobodyListens:
                pass  # somebody may, in a moment
            except Vanished as gone:
                raise self._abandoned(gone) from None
            except NoAnswer:
                raise self._late() from None
            if self._turn is not None:  # it has left: any other will do
                self._turn = None
                continue
            pause = min(pause, self._left() / 2)
            if pause < _SHORTEST_PAUSE:  # a last try could be cut off on its way, and would have to be called Unknown
                raise self._late()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _asked(self) -> Reply:
        self.request.ttl = left = max(self._left(), 0.001)
        body = messages.encode(self.request)
        if len(body) > self.transport.max_body:
            body = self._large(body)
        self._open += 1
        try:
            reply = messages.decode_reply(await self.transport.call(self._turn or self.address, body, left))
        except NobodyListens:
            self._open -= 1  # at once: this process may be held up until its deadline before anybody looks
            raise
        if _did_not_run(reply):
            self._open -= 1
        return reply

    def _large(self, body: bytes) -> bytes:
        """It need not be sent again because its receiver does not know our manifest."""
        if self.request.manifest_text is None:
            self.request.manifest_text = self.manifest_text
            body = messages.encode(self.request)
        check_request(self.what, body, self.transport, self.floors, self.address)
        return body

    async def _asked_twice(self) -> Reply:
        """Ask again when half of the time has gone by, and take the first answer of one that has run it. Only for
        idempotent endpoints."""
        first = asyncio.ensure_future(self._asked())
        asked = [first]
        try:
            await asyncio.wait(asked, timeout=self._left() * AGAIN)
            if first.done() and not isinstance(first.exception(), NoAnswer):
                return first.result()
            asked.append(asyncio.ensure_future(self._asked()))
            return await self._first_of(asked)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _first_of(self, asked: Iterable[asyncio.Future[Reply]]) -> Reply:
        """The answer of one that has run it; else a refusal; without any, that one may have run it, or none has."""
        refusal: Reply | None = None
        for answer in asyncio.as_completed(asked):
            try:
                reply = await answer
            except (NobodyListens, NoAnswer):
                continue  # the other one may still be answered
            if reply.status != "refused":
                return reply
            refusal = reply
        if refusal is not None:
            return refusal
        if self._open:
            raise NoAnswer(address=str(self.address), seconds=self._left())
        raise NobodyListens(address=str(self.address))


def _did_not_run(reply: Reply) -> bool:
    """For certain. Who refuses a call as Unknown was sent it twice, and knows of a run without an answer."""
    if reply.status == "refused":
        return reply.fault is None or reply.fault.kind != Unknown.__name__
    return reply.status == "need_manifest"
