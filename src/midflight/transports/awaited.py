"""Our own calls: they wait for their answers, hear of those who have them in hand, and are cancelled there when nobody
waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from midflight.transports import signs
from midflight.transports.base import Address, are_names
from midflight.transports.deadlines import Deadlines
from midflight.transports.hands import Hands
from midflight.transports.signs import announced

T = TypeVar("T")

CANCEL_SECONDS = 1.0
"""How long a cancellation waits for a connection through which it can go."""


class Silent(Exception):
    """Whoever had a call in hand has given no sign of life for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no sign of life for {seconds} s")
        self.seconds = seconds


class Awaited(Generic[T]):
    """The answer to one call, and what is heard of the call until then. ``could_hear`` says whether we would have heard
    all that was said to us since a time of the loop's clock."""

    __slots__ = ("_could_hear", "_loop", "_pause", "_since", "_timer", "answer", "host", "is_given_up", "place")

    def __init__(self, could_hear: Callable[[float], bool] = lambda _: True) -> None:
        self._loop, self._could_hear = asyncio.get_running_loop(), could_hear
        self.answer: asyncio.Future[T] = self._loop.create_future()
        """Ends with Silent when signs of life have begun, and do not go on."""
        self.host = ""
        """Where the call can be cancelled, as soon as that is known."""
        self.place = ""
        """Where on that host the very listener hears it that has the call, if the broker's adapter tells."""
        self.is_given_up = False
        """Whether nobody waits for it any more."""
        self._pause = self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def answered(self, answer: T) -> None:
        """This is it. What comes later is passed over."""
        if not self.answer.done():
            self.answer.set_result(answer)
            self._stop()

    def sign(self, host: str, pause: float) -> None:
        """A sign of life has come from ``host``; the next one comes within ``pause`` seconds."""
        self.host = host
        if not self.answer.done():
            self._pause, self._since = pause, self._loop.time()
            self._wait(1.5 * pause, self._doubt)

    def give_up(self) -> None:
        """Nobody waits any more."""
        self.is_given_up = True
        if not self.answer.cancel() and not self.answer.cancelled():
            self.answer.exception()  # it came too late, and is no error of which nobody knows
        self._stop()

    def is_late(self) -> None:
        """Its deadline has passed: it ends with TimeoutError."""
        if not self.answer.done():
            self.answer.set_exception(TimeoutError())
            self._stop()

    def _doubt(self) -> None:
        """In two steps: this process itself may have been held up for long, and have signs of life unread."""
        self._wait(0.5 * self._pause, self._despair)

    def _despair(self) -> None:
        if not self._could_hear(self._since):
            self.sign(self.host, self._pause)
        elif not self.answer.done():
            self.answer.set_exception(Silent(2 * self._pause))

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop()
        self._timer = self._loop.call_later(seconds, then)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


Cancel = Callable[[Address, str, str, float], Coroutine[Any, Any, None]]
"""Sends to an address, and to a place there where one is known, that the call of this name is cancelled, before a time
of the loop's clock."""


class OwnCalls(Generic[T]):
    """The calls of one member that have no answer yet, by their names."""

    def __init__(self, cancel: Cancel, could_hear: Callable[[float], bool] = lambda _: True) -> None:
        self._send_cancel, self._could_hear = cancel, could_hear
        self._calls: dict[str, tuple[Address, Awaited[T]]] = {}
        self._deadlines = Deadlines(self._calls, self._is_late)
        self._hands = Hands()

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, name: str, address: Address, deadline: float) -> asyncio.Future[T]:
        """The answer to a call that is about to be sent: it ends with Silent where signs of life have stopped, and with
        TimeoutError at a time of the loop's clock."""
        awaited: Awaited[T] = Awaited(self._could_hear)
        self._calls[name] = address, awaited
        self._deadlines.add(name, deadline)
        return awaited.answer

    def answered(self, name: str, answer: T) -> None:
        """An answer has come; it is passed over where nobody waits for it."""
        if (call := self._calls.get(name)) is not None:
            call[1].answered(answer)

    def sign(self, name: str, host: str, pause: float | str) -> None:
        """A sign of life has come. What a peer says there is not trusted: a host that is none is as good as none."""
        if (call := self._calls.get(name)) is None:
            return
        awaited = call[1]
        awaited.sign(host if are_names(host) else "", announced(pause))
        if awaited.is_given_up:
            self._cancel(name)

    def runs_at(self, name: str, host: str, place: str) -> None:
        """Where it can be cancelled is known, though nothing was said yet of when more will be heard."""
        if (call := self._calls.get(name)) is not None and are_names(host):
            call[1].host, call[1].place = host, place

    def end(self, name: str) -> None:
        """Its answer was taken."""
        del self._calls[name]

    def give_up(self, name: str) -> None:
        """Nobody waits for it any more: it is cancelled as soon as it is known where it runs."""
        if (call := self._calls.get(name)) is None:
            return  # a sign of life has come first, and it was cancelled then
        _, awaited = call
        awaited.give_up()
        if awaited.host:
            self._cancel(name)
        else:
            asyncio.get_running_loop().call_later(signs.SIGN_SECONDS, self._calls.pop, name, None)

    @property
    def addresses(self) -> set[Address]:
        """To which there are calls."""
        return {address for address, _ in self._calls.values()}

    def fail(self, address: Address, error: Exception) -> None:
        """The calls to an address end with this error."""
        for called, awaited in self._calls.values():
            if called == address and not awaited.answer.done():
                awaited.answer.set_exception(error)

    def all_answered(self, answer: T) -> None:
        """The same answer to all."""
        for _, awaited in self._calls.values():
            awaited.answered(answer)

    async def stop(self) -> None:
        """Send the last cancellations."""
        await self._hands.finish(CANCEL_SECONDS)

    def _is_late(self, name: str) -> None:
        self._calls[name][1].is_late()

    def _cancel(self, name: str) -> None:
        address, awaited = self._calls.pop(name)
        if awaited.host:
            deadline = asyncio.get_running_loop().time() + CANCEL_SECONDS
            where = Address(address.topic, awaited.host)
            self._hands.take(self._send_cancel(where, awaited.place, name, deadline))
