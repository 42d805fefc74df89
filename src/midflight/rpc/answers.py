"""The answers of the latest calls, for those that are sent again.

A caller that misses the answer of an idempotent endpoint asks again, and a broker that mends itself may bring one call
twice. A repeat waits for the first, and has its answer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from midflight import telemetry
from midflight.errors import Unknown
from midflight.rpc.messages import Request
from midflight.rpc.repeats import Elsewhere, Receipt, Running, said_in
from midflight.rpc.work import Work

MOST, MOST_BYTES = 10_000, 8 * 2**20
"""So many answers are kept, of so many bytes together, requests included; the oldest go first."""
LONGEST = 2**18
"""A longer one is not kept, request included."""


class _Call:
    """One call, by its request; ``answer`` is None as long as there is none."""

    __slots__ = ("answer", "ended", "is_elsewhere", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: bytes | None = None
        self.ended: asyncio.Future[None] | None = None
        """There once somebody waits for the end."""
        self.is_elsewhere = False
        """Whether it is for another process to answer it."""

    @property
    def size(self) -> int:
        return len(memoryview(self.request.arguments)) + len(self.answer or b"")

    def is_of(self, request: Request) -> bool:
        """Whether the same is asked for, by the same."""
        return said_in(self.request) == said_in(request)


class Answers:
    """``in_transactions`` where the database notes what had an effect (repeats.Notes). Of the other calls there, which
    are most, no answer is kept: they may run again."""

    def __init__(self, *, in_transactions: bool = False) -> None:
        self._in_transactions = in_transactions
        self._in_hand: dict[str, _Call] = {}
        self._ended = OrderedDict[str, _Call]()  # a dict looks for its first entry behind all that have left
        self._bytes = 0

    async def once(self, work: Work, answer: Callable[[Work], Awaitable[bytes]]) -> bytes:
        """The answer to a call: the one that it had, where it is a repeat.

        Raises IdReused for an id that stands for another call, Unknown where the first was cancelled, and Elsewhere
        where it is for the first to answer, since what it did is in the database and its answer is not known here.
        """
        request, name = work.request, work.request.message_id
        if not name:  # its sender is older than such ids
            return await answer(work)
        if (earlier := self._in_hand.get(name) or self._ended.get(name)) is not None:
            return await self._repeated(earlier, Receipt(request, name))
        in_transactions = self._in_transactions and not work.form.spec.idempotent
        receipt = Receipt(request, name) if in_transactions else None
        call = self._in_hand[name] = _Call(request)
        try:
            if receipt is None:
                call.answer = await answer(work)
            else:
                with Running(receipt):
                    answered = await answer(work)
                if receipt.met:
                    call.is_elsewhere = True
                    raise Elsewhere
                call.answer = answered
            return call.answer
        finally:
            self._end(name, call, keep=receipt is None or receipt.kept)

    async def _repeated(self, call: _Call, receipt: Receipt) -> bytes:
        if not call.is_of(receipt.request):
            raise receipt.reused()
        what = receipt.request.what
        telemetry.count("rpc.repeats_dropped", method=what)
        if receipt.message_id in self._in_hand:
            call.ended = call.ended or asyncio.get_running_loop().create_future()
            await asyncio.shield(call.ended)
        if call.is_elsewhere:
            raise Elsewhere
        if call.answer is None:
            raise Unknown(what=what, reason="it was sent twice, and cancelled where it ran")
        return call.answer

    def _end(self, name: str, call: _Call, *, keep: bool) -> None:
        del self._in_hand[name]
        if call.ended is not None:
            call.ended.set_result(None)
        if keep and call.answer is not None and call.size <= LONGEST:
            self._ended[name] = call
            self._bytes += call.size
            while len(self._ended) > MOST or self._bytes > MOST_BYTES:
                self._bytes -= self._ended.popitem(last=False)[1].size
