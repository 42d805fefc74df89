"""Signs of life of calls in hand, and how a call that nobody waits for is cancelled.

Each call has a name that nobody can guess. Whoever has it in hand gives signs of life under that name, which say when
the next one comes and on which host the call runs; there it can be cancelled by its name. A name also says whether its
caller wants signs, so that a caller from before there were any is not confused by them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from midflight.telemetry import count
from midflight.transports.deadlines import Deadlines
from midflight.transports.hands import Hands

SIGN_SECONDS = 2.0
"""Between two signs of life. Who has missed two of them has vanished."""

SLOWDOWN = 0.125
"""Of a call's age: the signs of an old call lie further apart. In a day they are fewer than the 100 answers to one
request that a broker allows."""

FIRST_SECONDS = 0.1
"""Until the first sign of life, so that a call that is answered sooner costs nothing."""

LONG = 3
"""A caller that waits for more than so many signs wants the first one at once."""

_DAY = 86_400.0
_NOW, _SOON = "-now", "-soon"


def new_name(timeout: float) -> str:
    """A name for a call whose caller waits for ``timeout`` seconds, and wants signs of life."""
    return secrets.token_hex(8) + (_NOW if timeout > LONG * SIGN_SECONDS else _SOON)


def first_sign_of(name: str) -> float | None:
    """After how many seconds the caller wants to hear of this call; None for one that understands no signs."""
    return 0.0 if name.endswith(_NOW) else FIRST_SECONDS if name.endswith(_SOON) else None


def announced(seconds: float | str) -> float:
    """The pause that a sign of life announces. What is none is a day, so that the call's deadline decides."""
    try:
        pause = float(seconds)
    except ValueError:
        return _DAY
    return min(pause, _DAY) if pause > 0 else _DAY


def pause_at(age: float) -> float:
    """The seconds from one sign of life of a call of this age to the next."""
    return max(SIGN_SECONDS, SLOWDOWN * age)


class Signs:
    """Gives signs of life until it is stopped: ``give`` is told after how many seconds the next one comes."""

    def __init__(self, give: Callable[[float], None], first: float) -> None:
        self._give, self._loop = give, asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timer = self._loop.call_later(first, self._sign)

    def stop(self) -> None:
        """No more of them."""
        self._timer.cancel()

    def _sign(self) -> None:
        pause = pause_at(self._loop.time() - self._began)
        self._timer = self._loop.call_later(pause, self._sign)
        self._give(pause)


@dataclass(slots=True)
class _InHand:
    """A call, and its signs of life once they have begun."""

    give: Callable[[float], None]
    task: asyncio.Task[None] | None = None
    signs: Signs | None = None


class CallsInHand:
    """The calls that one listener has in hand, by their names."""

    def __init__(self, hands: Hands, topic: str) -> None:
        self._hands, self._topic = hands, topic
        self._calls: dict[str, _InHand] = {}
        self._first_signs = Deadlines(self._calls, self._begin_signs)

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, name: str, work: Coroutine[Any, Any, None], give: Callable[[float], None]) -> None:
        """Start a call. As long as it runs, ``give`` is called for each sign of life, where its caller wants them."""
        if (first := first_sign_of(name)) is None:
            self._hands.take(work)
            return
        self._calls[name] = call = _InHand(give)
        call.task = self._hands.take(work, partial(self._ended, name, call))
        if first:
            self._first_signs.add(name, asyncio.get_running_loop().time() + first)
        else:
            self._begin_signs(name)

    def cancel(self, name: str) -> None:
        """Cancel a call, once; nothing happens where it is not in hand."""
        if (call := self._calls.pop(name, None)) is not None and call.task is not None:
            count("transport.calls_cancelled", topic=self._topic)
            call.task.cancel()

    def _begin_signs(self, name: str) -> None:
        call = self._calls[name]
        if call.signs is None:
            call.signs = Signs(call.give, 0)

    def _ended(self, name: str, call: _InHand) -> None:
        if call.signs is not None:
            call.signs.stop()
        if self._calls.get(name) is call:
            del self._calls[name]
