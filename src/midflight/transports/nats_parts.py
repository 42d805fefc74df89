"""Calls and answers that are too large for one message of NATS go in parts.

Whoever receives asks for each further part. So nobody is sent more than they have room for, and who sends knows how far
it is: until the last part of a request has gone out, its call was certainly not executed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nats.aio.msg import Msg

from midflight.telemetry import bad_input
from midflight.transports.base import MAX_WHOLE, are_names
from midflight.transports.nats_message import MORE, PART

PART_SECONDS = 3.0
"""How long the next part, or the word that it is wanted, may take. A body that is half there is dropped then."""

ROOM = 8 * MAX_WHOLE
"""So many bytes one listener holds of bodies that are half there, or half sent."""

ROOM_PER_SENDER = 2 * MAX_WHOLE

NO_ROOM = -1
"""Asked for instead of a part, where there is no room for a body now."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where in a body of ``size`` bytes something begins, and on which host the rest is."""

    start: int
    size: int
    host: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Those of a part."""
        return {PART: f"{self.start} {self.size} {self.host}"}


def part_in(message: Msg) -> Part | None:
    """The part that a message is; None where it is none that can be read."""
    return _read((message.headers or {}).get(PART, ""))


def wanted_in(message: Msg) -> Part | None:
    """What a message asks for; None where it asks for nothing that can be read."""
    start, _, host = (message.headers or {}).get(MORE, "").partition(" ")
    return _read(f"{start} 0 {host}")


def wanting(start: int, host: str = "") -> dict[str, str]:
    """The headers of a message that asks for the part which begins there, to be sent to this host."""
    return {MORE: f"{start} {host}"}


def _read(said: str) -> Part | None:
    start, _, rest = said.partition(" ")
    size, _, host = rest.partition(" ")
    try:
        part = Part(int(start), int(size), host)
    except ValueError:
        return None
    return part if part.start >= NO_ROOM and part.size >= 0 and (not host or are_names(host)) else None


class Transfer:
    """One body on its way: what is expected next. Anything else that comes for it is refused."""

    def __init__(self) -> None:
        self._start = 0
        self._next: asyncio.Future[Msg] | None = None

    def expect(self, start: int) -> None:
        """From now on, what begins there."""
        self._start, self._next = start, asyncio.get_running_loop().create_future()

    def take(self, start: int, message: Msg) -> bool:
        """Whether this was expected."""
        if self._next is None or self._next.done() or start not in (self._start, NO_ROOM):
            return False
        self._next.set_result(message)
        return True

    async def next(self, until: asyncio.Future[Msg] | None = None) -> Msg | None:
        """What was expected; None when ``until`` is done before. Raises TimeoutError when it stays out."""
        assert self._next is not None
        waiting = [self._next, until] if until is not None else [self._next]
        await asyncio.wait(waiting, timeout=PART_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._next.done():
            return self._next.result()
        if until is None or not until.done():
            raise TimeoutError
        return None


class Transfers:
    """The bodies that are on their way here, or from here, by a name that only both sides know."""

    def __init__(self) -> None:
        self._open: dict[str, Transfer] = {}

    @contextmanager
    def begin(self, name: str) -> Iterator[Transfer]:
        """As long as it takes."""
        transfer = self._open[name] = Transfer()
        try:
            yield transfer
        finally:
            del self._open[name]

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def take(self, name: str, part: Part | None, message: Msg) -> None:
        """Give it to who expects it. What comes twice, out of its order, or is of no body on its way, is refused."""
        transfer = self._open.get(name)
        if part is None or transfer is None or not transfer.take(part.start, message):
            refuse(name, "a part that nobody expects")


def refuse(name: str, reason: str) -> None:
    """Count what is wrong with a part. Its sender is known by its inbox, which all but the last word of a name is."""
    bad_input.note("transport.refused", "part", name.rpartition(".")[0] or "a callee", reason=reason)


class Room:
    """Bytes that bodies may take while they are on their way, in all and for each sender."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    @contextmanager
    def of(self, sender: str, size: int) -> Iterator[bool]:
        """Whether there is room for so many bytes of a sender. It is given back at the end of the block."""
        taken = self._taken.get(sender, 0)
        if taken + size > ROOM_PER_SENDER or sum(self._taken.values()) + size > ROOM:
            yield False
            return
        self._taken[sender] = taken + size
        try:
            yield True
        finally:
            self._taken[sender] -= size
            if not self._taken[sender]:
                del self._taken[sender]


async def receive(transfer: Transfer, first: bytes, size: int, ask: Callable[[int], Awaitable[None]]) -> bytes:
    """The whole body. Raises TimeoutError when a part stays out, and ValueError for one that cannot be part of it."""
    parts, have = [first], len(first)
    while have < size:
        transfer.expect(have)
        await ask(have)
        message = await transfer.next()
        part = message and part_in(message)
        if not (message and part and message.data and part.size == size and have + len(message.data) <= size):
            raise ValueError(f"a part at {have} that does not fit into {size} bytes")
        parts.append(message.data)
        have += len(message.data)
    return b"".join(parts)


async def send(
    transfer: Transfer,
    body: bytes,
    room: int,
    say: Callable[[bytes, Part, Msg | None], Awaitable[None]],
    until: asyncio.Future[Msg] | None = None,
) -> bool:
    """Send a body, each part but the first when it is asked for: ``say`` is given what asks for it. Returns whether
    all of it went out: no when ``until`` was done first. Raises TimeoutError when nobody asks, and BlockingIOError
    where there is no room for it."""
    asked: Msg | None = None
    for start in range(0, len(body), room):
        if start:
            asked = await transfer.next(until)
            wanted = asked and wanted_in(asked)
            if not wanted:
                return False
            if wanted.start == NO_ROOM:
                raise BlockingIOError
        if start + room < len(body):
            transfer.expect(start + room)
        await say(body[start : start + room], Part(start, len(body)), asked)
    return True
