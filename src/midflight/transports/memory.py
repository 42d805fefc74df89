"""Messages that never leave the process: for tests, and for a fleet in one process.

A bus is a broker by name, shared by the transports of one process. It keeps every promise of the port but one: what it
holds dies with the process. Bodies always go through bytes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Self

from midflight.errors import MessageTooLarge
from midflight.transports.awaited import Awaited, Silent
from midflight.transports.base import (
    MAX_WHOLE,
    Address,
    CallHandler,
    CastDelivery,
    CastHandler,
    FanoutHandler,
    Identity,
    NoAnswer,
    NobodyListens,
    ParkedMessage,
    Vanished,
)
from midflight.transports.handlers import Handlers
from midflight.transports.hands import Hands
from midflight.transports.links import Links
from midflight.transports.places import Places
from midflight.transports.signs import CallsInHand, new_name

MAX_BODY = 1_040_384
"""Bytes: what the NATS adapter takes by default, so that tests in memory meet the same limit."""

ACK_SECONDS = 30.0
DUPLICATE_SECONDS = 120.0


class MemoryBus:
    """What a broker knows: who listens, which casts wait, the message ids of late, parked messages. ``links`` lie
    between it and its members."""

    def __init__(self) -> None:
        self.links = Links()
        self.listeners: list[MemoryListener] = []
        self.parked: dict[tuple[Address, str], ParkedMessage] = {}
        self._casts: dict[Address, deque[CastDelivery]] = {}
        self._ids: dict[str, float] = {}
        self._coming_again = 0

    @property
    def unfinished(self) -> int:
        """The casts that somebody has in hand, or will have: all but those that wait for a listener."""
        return self._coming_again + sum(listener.casts_in_hand for listener in self.listeners)

    def one_at(self, address: Address) -> MemoryListener | None:
        """Somebody who takes calls to this address."""
        return _any_of([who for who in self.listeners if address in who.addresses and self.links.holds(who.identity)])

    def put(self, address: Address, cast: CastDelivery, name: str = "") -> None:
        """Keep a cast until a listener has run it; a new one whose name, else its id, was seen in the last two minutes
        is let go."""
        if cast.attempt > 1 or self._is_new(name or cast.message_id):
            self._casts.setdefault(address, deque()).append(cast)
            self.deliver([address])

    def put_later(self, delay: float, address: Address, cast: CastDelivery) -> None:
        """Keep a cast that comes again, after so many seconds."""
        self._coming_again += 1
        asyncio.get_running_loop().call_later(delay, self._put_again, address, cast)

    def _put_again(self, address: Address, cast: CastDelivery) -> None:
        self._coming_again -= 1
        self.put(address, cast)

    def mend(self, who: Identity) -> None:
        """The link of somebody who was cut off holds again, and what waited for them goes out."""
        self.links.cut.discard(who)
        self.deliver(list(self._casts))

    def forget(self, who: Identity) -> None:
        """Somebody has left: the link is whole again for whoever comes next, unless that one is there already."""
        if all(listener.identity != who for listener in self.listeners):
            self.links.forget(who)

    def deliver(self, addresses: Iterable[Address]) -> None:
        """Hand out waiting casts to the listeners that have room."""
        for address in addresses:
            waiting = self._casts.get(address, ())
            while waiting and (listener := self._one_with_room(address)):
                listener.run(address, waiting.popleft())

    def _one_with_room(self, address: Address) -> MemoryListener | None:
        found = [who for who in self.listeners if address in who.addresses and who.has_room]
        return _any_of([who for who in found if self.links.holds(who.identity)])

    def _is_new(self, message_id: str) -> bool:
        now = time.monotonic()
        while self._ids and now - next(iter(self._ids.values())) > DUPLICATE_SECONDS:
            del self._ids[next(iter(self._ids))]
        if message_id in self._ids:
            return False
        self._ids[message_id] = now
        return True


_buses: dict[tuple[str, str], MemoryBus] = {}


def bus_named(name: str, project: str) -> MemoryBus:
    """The bus that all transports of this project share by this name, as long as the process lives."""
    return _buses.setdefault((name, project), MemoryBus())


class MemoryListener:
    """Takes work from a bus, for one topic and host. Made by ``MemoryTransport.listen``."""

    def __init__(self, bus: MemoryBus, handlers: Handlers, identity: Identity, *, limit: int, ack_wait: float) -> None:
        address, self.identity = handlers.address, identity
        self.addresses = {Address(address.topic), address}
        self._bus, self._handlers, self._ack_wait = bus, handlers, ack_wait
        self._places = Places(limit, self._grown)
        self._hands = Hands()
        self._calls = CallsInHand(self._hands, address.topic)
        self.casts_in_hand = 0
        self._comes_again_after = 0.0

    @property
    def topic(self) -> str:
        """The topic of its address."""
        return self._handlers.address.topic

    @property
    def has_room(self) -> bool:
        """Whether one more cast may be in hand."""
        return self.casts_in_hand < self._places.room

    def _grown(self) -> None:
        self._bus.deliver(self.addresses)

    def join(self) -> None:
        """Take work from now on, beginning with the casts that waited."""
        self._bus.listeners.append(self)
        self._bus.deliver(self.addresses)

    def answer(self, name: str, body: bytes, sender: Identity, awaited: Awaited[bytes]) -> None:
        """Take a call; its answer stays out when the handler fails."""
        self._calls.take(name, self._answer(body, sender, awaited), partial(self._sign, sender, awaited))
        if self.identity in self._bus.links.doubled:
            self._hands.take(self._answer(body, sender, Awaited()))

    def _sign(self, sender: Identity, awaited: Awaited[bytes], pause: float) -> None:
        if self._bus.links.holds(sender, self.identity):
            awaited.sign(self._handlers.address.host or "", pause)

    async def _answer(self, body: bytes, sender: Identity, awaited: Awaited[bytes]) -> None:
        await self._bus.links.crossed(sender, self.identity)
        result = await self._handlers.answer(body, sender, MAX_WHOLE)
        await self._bus.links.crossed(sender, self.identity)
        if result is not None and self._bus.links.holds(sender, self.identity):
            awaited.answered(_through_bytes(result))

    def cancel(self, name: str) -> None:
        """Cancel a call that nobody waits for any more."""
        self._calls.cancel(name)

    def tell(self, body: bytes, sender: Identity) -> None:
        """Take a fanout."""
        self._hands.take(self._told(body, sender))

    async def _told(self, body: bytes, sender: Identity) -> None:
        await self._bus.links.crossed(sender, self.identity)
        await self._handlers.tell(body, sender)

    def run(self, address: Address, cast: CastDelivery) -> None:
        """Take a cast; it goes back to the bus unless it is done with."""
        self.casts_in_hand += 1
        task = self._hands.take(self._run(address, cast))
        task.add_done_callback(partial(self._ran, address, replace(cast, attempt=cast.attempt + 1)))

    async def _run(self, address: Address, cast: CastDelivery) -> float | None:
        links = self._bus.links
        await links.crossed(cast.sender, self.identity)
        async with self._places.one(address) as place:
            again = await self._handlers.run(replace(cast, aside=place.aside))
        is_heard = links.holds(self.identity) and not (self.identity in links.doubled and cast.attempt == 1)
        return again if is_heard else again or 0

    def _ran(self, address: Address, again: CastDelivery, task: asyncio.Task[float | None]) -> None:
        self.casts_in_hand -= 1
        delay = self._comes_again_after if task.cancelled() else task.result()
        if delay is not None:
            self._bus.put_later(delay, address, again)
        self._bus.deliver(self.addresses)

    async def drain(self, timeout: float) -> None:
        """See ``Listener.drain``."""
        self._leave()
        self._places.stop()
        await self._hands.finish(timeout)
        await self._hands.drop()

    async def abandon(self) -> None:
        """Stop as if the process had been killed: what was in hand comes again when its acknowledgement is overdue."""
        self._comes_again_after = self._ack_wait
        await self.drain(0)

    def _leave(self) -> None:
        if self in self._bus.listeners:
            self._bus.listeners.remove(self)


class MemoryTransport:
    """A transport over a bus of this process. The casts of an abandoned listener come again after ``ack_wait`` s.
    Whoever sends through it is ``identity``, for the others."""

    def __init__(self, bus: MemoryBus, *, identity: Identity, ack_wait: float = ACK_SECONDS) -> None:
        self._bus, self._identity, self._ack_wait = bus, identity, ack_wait
        self._listeners: list[MemoryListener] = []

    @property
    def max_body(self) -> int:
        """See ``Transport.max_body``."""
        return MAX_BODY

    @property
    def max_whole(self) -> int:
        """See ``Transport.max_whole``."""
        return MAX_WHOLE

    async def open(self) -> Self:
        """Nothing to connect to: it is here."""
        return self

    async def close(self) -> None:
        """Leave the bus. A listener that was not drained is abandoned."""
        await asyncio.gather(*(listener.abandon() for listener in self._listeners))
        self._listeners.clear()

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """See ``Transport.call``."""
        body = self._checked(f"call to {address}", body)
        listener = self._bus.one_at(address) if self._is_connected else None
        if listener is None:
            raise NobodyListens(address=str(address))
        try:
            return await self._answered(listener, body, timeout)
        except TimeoutError:
            raise NoAnswer(address=str(address), seconds=timeout) from None
        except Silent as silent:
            raise Vanished(address=str(address), seconds=silent.seconds) from None

    async def _answered(self, listener: MemoryListener, body: bytes, timeout: float) -> bytes:
        name, awaited = new_name(timeout), Awaited[bytes]()
        listener.answer(name, body, self._identity, awaited)
        try:
            async with asyncio.timeout(timeout):
                return await awaited.answer
        except BaseException:
            awaited.give_up()
            listener.cancel(name)
            raise

    async def cast(self, address: Address, body: bytes, message_id: str) -> None:
        """See ``Transport.cast``."""
        body = self._checked(f"cast to {address}", body)
        if not self._is_connected:
            raise NoAnswer(address=str(address), seconds=0)
        self._bus.put(address, CastDelivery(body, message_id, attempt=1, sender=self._identity))

    async def fanout(self, topic: str, body: bytes) -> None:
        """See ``Transport.fanout``."""
        body = self._checked(f"fanout to {topic}", body, MAX_BODY)
        for listener in self._bus.listeners:
            if listener.topic == topic and self._bus.links.holds(self._identity, listener.identity):
                listener.tell(body, self._identity)

    async def listen(
        self, address: Address, on_call: CallHandler, on_cast: CastHandler, on_fanout: FanoutHandler, *, limit: int = 64
    ) -> MemoryListener:
        """See ``Transport.listen``."""
        handlers = Handlers(address, on_call, on_cast, on_fanout)
        listener = MemoryListener(self._bus, handlers, self._identity, limit=limit, ack_wait=self._ack_wait)
        listener.join()
        self._listeners.append(listener)
        return listener

    async def park(self, message: ParkedMessage) -> None:
        """See ``Transport.park``."""
        kept = replace(message, body=_through_bytes(message.body), facts=dict(message.facts))
        self._bus.parked.setdefault((message.address, message.message_id), kept)

    async def parked(self, address: Address | None = None) -> list[ParkedMessage]:
        """See ``Transport.parked``."""
        return [kept for kept in self._bus.parked.values() if address in (None, kept.address)]

    async def find_parked(self, address: Address, message_id: str) -> ParkedMessage | None:
        """See ``Transport.find_parked``."""
        return self._bus.parked.get((address, message_id))

    async def replay(self, message: ParkedMessage, act: str) -> None:
        """See ``Transport.replay``."""
        again = CastDelivery(message.body, message.message_id, attempt=1, sender=self._identity, replayed=True)
        self._bus.put(message.address, again, f"{message.message_id}.{act}")

    async def discard(self, address: Address, message_id: str) -> bool:
        """See ``Transport.discard``."""
        return self._bus.parked.pop((address, message_id), None) is not None

    @property
    def _is_connected(self) -> bool:
        return self._bus.links.holds(self._identity)

    def _checked(self, what: str, body: bytes, limit: int = MAX_WHOLE) -> bytes:
        if len(body) > limit:
            raise MessageTooLarge(what=what, size=len(body), limit=limit)
        return _through_bytes(body)


def _any_of(candidates: Sequence[MemoryListener]) -> MemoryListener | None:
    return random.choice(candidates) if candidates else None


def _through_bytes(body: bytes) -> bytes:
    """Exactly bytes, as a wire would make of them; TypeError for what is no buffer."""
    return memoryview(body).tobytes()
