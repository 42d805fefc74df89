"""The port: how bytes move between the members of a fleet. Adapters live one per file beside it.

A transport carries bytes and knows nothing of objects or versions. It offers three kinds of delivery (call, cast,
fanout) to three kinds of address: any member of a topic, one host of a topic, all members of a topic.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, Self

from midflight.errors import InvalidValue, MidflightError

MAX_WHOLE = 15 * 1_040_384
"""Bytes: the largest body of a call, an answer or a cast. As one message it still passes through a RabbitMQ of default
settings (16 MiB), with room for the facts of a parked one; over NATS it goes in fifteen parts."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_name(what: str, name: object) -> None:
    """Raises InvalidValue for a name that could be mistaken for more than one word of a broker's address."""
    if not (isinstance(name, str) and is_name(name)):
        raise InvalidValue(path=what, received=repr(name), expected="letters, digits, '-' and '_'")


def is_name(text: str) -> bool:
    """Whether this can be a topic or a host."""
    return _NAME.fullmatch(text) is not None


def are_names(text: str) -> bool:
    """Whether this can be the host of an address: names with dots between them."""
    return all(map(is_name, text.split(".")))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a member is to the broker, and the broker lets nobody else be: its service, and the host where it runs.

    Over a broker that gives no rights it is what the member says of itself. Both are made of letters, digits, ``-`` and
    ``_``.
    """

    service: str
    host: str

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_name("host", self.host)

    def __str__(self) -> str:
        return f"{self.service}@{self.host}"


def identity_of(service: str, host: str) -> Identity | None:
    """The identity that somebody's words name; None where they cannot be one."""
    return Identity(service, host) if is_name(service) and is_name(host) else None


@dataclass(frozen=True, slots=True)
class Address:
    """A topic, or one host of it, both made of letters, digits, ``-`` and ``_``. A host may be several such names with
    dots between them: one member among those of a service on a host."""

    topic: str
    host: str | None = None

    def __post_init__(self) -> None:
        check_name("address topic", self.topic)
        if self.host is not None and not are_names(self.host):
            check_name("address host", self.host)

    def __str__(self) -> str:
        return f"{self.topic}@{self.host}" if self.host else self.topic


class NobodyListens(MidflightError):
    """Nobody listens at {address}."""

    address: str


class Forbidden(MidflightError):
    """The broker does not let us send to {address}."""

    address: str


class NoAnswer(MidflightError):
    """No answer from {address} within {seconds} s."""

    address: str
    seconds: float


class Vanished(NoAnswer):
    """Whoever had a call to {address} in hand has given no sign of life for {seconds} s."""


class Redeliver(Exception):
    """Raised by a cast handler: give this message back to the broker, to be delivered again after ``delay`` seconds."""

    def __init__(self, delay: float) -> None:
        super().__init__(f"again in {delay} s")
        self.delay = delay


Aside = Callable[[], AbstractAsyncContextManager[None]]
"""What a cast waits in that has come and cannot begin: its place among those that run is another's meanwhile."""


@dataclass(frozen=True, slots=True)
class CastDelivery:
    """One delivery of a cast from ``sender``. ``attempt`` counts from 1. What is ``replayed`` had been parked, and was
    sent again by its sender here, who need not be the one that sent it first. A handler that has to wait before it
    begins does so in ``aside()``: meanwhile it counts no more among those that run at once; and it is cancelled there,
    and comes again, when its listener is drained."""

    body: bytes
    message_id: str
    attempt: int
    sender: Identity
    replayed: bool = False
    aside: Aside = field(default=nullcontext, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A cast that no one here could serve, kept with its facts. ``sender`` is who sent it, by the word of who parked
    it; None where that was not noted."""

    address: Address
    body: bytes
    message_id: str
    facts: dict[str, str]
    sender: Identity | None = None


CallHandler = Callable[[bytes, Identity], Awaitable[bytes | None]]
CastHandler = Callable[[CastDelivery], Awaitable[None]]
FanoutHandler = Callable[[bytes, Identity], Awaitable[None]]


class Listener(Protocol):
    """Takes work for one topic and host. Handlers of one listener run side by side, each in a task of its own."""

    async def drain(self, timeout: float) -> None:
        """Take no new work, give back the casts that have not begun or stand aside, let what is in hand finish for up
        to ``timeout`` seconds and send its answers; then cancel what is left and give its casts back to the broker.
        Calling it twice does no harm."""
        ...


class Transport(Protocol):
    """One member's connection to the broker. Every method but open may be called from any task of the loop."""

    @property
    def max_body(self) -> int:
        """The largest body, in bytes, that everyone takes, and the largest of a fanout; a larger fanout raises
        MessageTooLarge before anything is sent."""
        ...

    @property
    def max_whole(self) -> int:
        """The largest body of a call, an answer or a cast, in bytes, for peers that take bodies in parts: that is known
        above. A larger one raises MessageTooLarge before anything is sent."""
        ...

    async def open(self) -> Self:
        """Connect. Raises BrokerUnreachable when nobody answers; afterwards a connection that breaks mends itself."""
        ...

    async def close(self) -> None:
        """Flush what was sent and leave. Listeners are drained before, by their owner."""
        ...

    async def call(self, address: Address, body: bytes, timeout: float) -> bytes:
        """Send and wait for the one answer, at most ``timeout`` seconds.

        Raises NobodyListens or Forbidden (certainly not executed), or NoAnswer (perhaps executed). Never blocks for
        longer. Where the broker is several servers, one may not have heard yet of a listener that another has: that is
        NobodyListens too, and to be tried again. Whoever has the call in hand gives signs of life; when two of them
        have stayed out after the last, that is Vanished, a NoAnswer too. A call that is given up, since its task is
        cancelled or its time is over, is cancelled where it runs, best effort: over RabbitMQ one that shares a host
        with a successor, or that drains, may not hear it.

        Where a body goes in parts, all of them go to one listener, which has a host; one that is lost before the last
        has gone out is NobodyListens.
        """
        ...

    async def cast(self, address: Address, body: bytes, message_id: str) -> None:
        """Hand a durable message to the broker; returns when the broker has it.

        It waits there until a listener of the address has run it, also one that starts later. The same ``message_id``
        sent again within two minutes is not run again by the same listener; by no other either where the broker itself
        knows ids (NATS, memory), while over RabbitMQ another listener may. Raises NoAnswer when the broker does not
        confirm within 5 s, and Forbidden. Where a body goes in parts, they are confirmed one by one and accepted as
        one; over NATS they are kept for 30 days, and a cast that is taken later is run with a body that nobody can
        read.
        """
        ...

    async def fanout(self, topic: str, body: bytes) -> None:
        """Tell everyone who listens to the topic now; best effort."""
        ...

    async def listen(
        self, address: Address, on_call: CallHandler, on_cast: CastHandler, on_fanout: FanoutHandler, *, limit: int = 64
    ) -> Listener:
        """Take work as ``address.host`` of ``address.topic``: what is sent to the topic (shared with the other hosts of
        it), to this host (shared with whoever else listens as it, like a successor that is there already), and to all.
        Returns when the broker knows; at most ``limit`` casts run at once, and with 0 none are taken. Beside them, up
        to ``places.ASIDE`` casts to this host may stand aside.

        Each handler is told who sent the message. Where the broker gives rights, nobody can have it say somebody else.

        What ``on_call`` returns is the answer, and None is none: another listener gives it. It is cancelled when nobody
        waits for that any more. A cast is acknowledged when ``on_cast`` has returned, not before; when it raises
        Redeliver, or the process dies, the message comes again, with a higher attempt; any other exception of a handler
        is a bug: it is logged, and a cast comes again after a second.
        """
        ...

    async def park(self, message: ParkedMessage) -> None:
        """Keep a cast that cannot be served, durably, until somebody decides."""
        ...

    async def parked(self, address: Address | None = None) -> list[ParkedMessage]:
        """The parked messages of an address, or of all, oldest first. Where the broker gives rights, all are for
        operators, and members see those of the addresses that they serve."""
        ...

    async def find_parked(self, address: Address, message_id: str) -> ParkedMessage | None:
        """One parked message of an address as it is kept now; None where none of this id is. What was parked through
        this transport is found at once, and is never missed."""
        ...

    async def replay(self, message: ParkedMessage, act: str) -> None:
        """Send a parked message again to its address, behind what waits there, under its own id and as ``replayed``.

        It stays parked: who has run it discards it. In one ``act`` it is sent once within two minutes, by whomever, as
        far as ``cast`` promises that. Raises NoAnswer as ``cast`` does.
        """
        ...

    async def discard(self, address: Address, message_id: str) -> bool:
        """Keep a parked message of an address no longer. Says whether it was parked."""
        ...
