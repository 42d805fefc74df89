"""Casts as they come to one listener: pulled, run, acknowledged.

One long poll is kept open at the broker for the topic and one for the host, each for as many casts as there is room in
hand; so an idle listener gets a cast as soon as it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import msgspec
from nats.aio.msg import Msg

from midflight.telemetry import count, log
from midflight.transports.base import Address, CastDelivery
from midflight.transports.handlers import Unproven, refuse
from midflight.transports.hands import Hands
from midflight.transports.nats_bodies import Bodies, Gone, is_ticket
from midflight.transports.nats_connection import Connection, NotTaken
from midflight.transports.nats_interest import Interest
from midflight.transports.nats_message import description_of, is_replayed, message_id_of, status_of
from midflight.transports.nats_senders import sender_of
from midflight.transports.nats_store import API, ELECTED, Refused, Store, nanoseconds
from midflight.transports.places import Places

POLL_SECONDS = 10
"""How long one poll stays open. The broker then ends it with a word; where it forgot the poll, we notice soon after."""

BODY_AGAIN_SECONDS = 1.0
PAUSE_SECONDS = 0.2
SETTLE_SECONDS = 2.0

REMEMBERED = 1000
"""So many casts that are done with are known by their place in the stream, in case the broker asks for one again."""

ACK = b"+ACK"
IN_PROGRESS = b"+WPI"

EXPIRED = "408"
"""The status by which the broker ends a poll whose time is over."""

CROWDED = "Exceeded MaxWaiting"
"""So it says where 512 polls are open for one address already, which only many members of one topic can bring about."""

Run = Callable[[CastDelivery], Awaitable[float | None]]


def consumer_name(address: Address) -> str:
    """By which the broker knows who pulls: shared by all who listen to the address. It takes no dots in a name."""
    return str(address).replace(".", "~")


@dataclass
class Poll:
    """The poll that is open for one address: its number, and how many casts it may still bring."""

    address: Address
    number: int = 0
    expected: int = 0
    failed: bool = False

    @property
    def name(self) -> str:
        """By which the broker knows who pulls."""
        return consumer_name(self.address)


class Consumer:
    """Pulls the casts to some addresses. ``run`` returns None when a cast is done with, else the seconds after which it
    has to come again; at most ``limit`` run at once."""

    def __init__(
        self,
        connection: Connection,
        store: Store,
        bodies: Bodies,
        run: Run,
        hands: Hands,
        *,
        limit: int,
        ack_wait: float,
    ) -> None:
        self._connection, self._store, self._run, self._hands = connection, store, run, hands
        self._bodies = bodies
        self._places, self._ack_wait = Places(limit, self._look_again), ack_wait
        self._inbox = connection.new_inbox()
        self._polls: dict[str, Poll] = {}
        self._in_hand: dict[int, Msg] = {}
        self._done: dict[tuple[int, str], None] = {}
        self._settling = Hands()
        self._tasks = Hands()
        self._look = asyncio.Event()
        self._interests: list[Interest] = []
        self._withdrawn = asyncio.Event()
        self._stopping = self._abandoned = False

    async def start(self, addresses: Iterable[Address]) -> None:
        """Take casts from now on, beginning with those that waited. Raises Refused, NotTaken or TimeoutError."""
        self._polls = {str(address): Poll(address) for address in addresses}
        await asyncio.gather(*(self._store.patiently(partial(self._declare, poll)) for poll in self._polls.values()))
        self._interests = [await self._connection.subscribe(f"{self._inbox}.*", self._arrived)]
        if self._store.replicas > 1:
            self._interests.extend([await self._hear_of_leaders(name) for name in self._polls])
        self._connection.on_mended.add(self._all_forgotten)
        self._tasks.take(self._pull())
        self._tasks.take(self._report_progress())

    async def stop(self) -> None:
        """Take nothing new. What was on its way here, was not begun, or stands aside goes back at once."""
        self._stopping = True
        self._places.stop()
        self._look.set()
        self._connection.on_mended.discard(self._all_forgotten)
        await self._connection.withdraw(*self._interests)
        self._withdrawn.set()

    async def settle(self) -> None:
        """Wait until the broker knows what became of all that was in hand."""
        await self._settling.finish(SETTLE_SECONDS)
        await self._tasks.drop()

    async def abandon(self) -> None:
        """Say nothing more to the broker, as if the process had been killed."""
        self._abandoned = True
        self._connection.on_mended.discard(self._all_forgotten)
        await self._tasks.drop()
        await self._settling.drop()

    # Pulling

    async def _declare(self, poll: Poll) -> None:
        await self._store.declare_consumer(poll.name, self._store.subjects.cast(poll.address, None), self._ack_wait)

    async def _hear_of_leaders(self, name: str) -> Interest:
        """In a cluster, a poll is lost with the server that led its consumer, and nobody tells us; but who leads it
        from then on is told to everyone."""

        def elected(_: Msg) -> None:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._ended, self._polls[name])

        return await self._connection.subscribe(f"{ELECTED}.{self._store.subjects.casts}.{name}", elected)

    async def _pull(self) -> None:
        while not self._stopping:
            self._look.clear()
            for poll in self._polls.values():
                await self._keep_open(poll)
            await self._until_something_changes()

    async def _keep_open(self, poll: Poll) -> None:
        try:
            if poll.failed:
                await self._mend(poll)
            if not poll.expected and (room := self._places.room - len(self._in_hand)) > 0:
                await self._open(poll, room)
        except (NotTaken, Refused, TimeoutError) as error:
            if not poll.failed:
                log.warning("transport.poll_failed", address=poll.name, reason=str(error) or "no answer")
            self._ended(poll, failed=True)

    async def _mend(self, poll: Poll) -> None:
        """The broker is busy with itself, or does not know our consumer."""
        await asyncio.sleep(PAUSE_SECONDS)
        await self._store.declare()
        await self._declare(poll)
        poll.failed = False

    async def _open(self, poll: Poll, room: int) -> None:
        poll.number, poll.expected = poll.number + 1, room
        await self._connection.publish(
            f"{API}.CONSUMER.MSG.NEXT.{self._store.subjects.casts}.{poll.name}",
            msgspec.json.encode({"batch": room, "expires": nanoseconds(POLL_SECONDS)}),
            deadline=asyncio.get_running_loop().time() + POLL_SECONDS,
            reply=self._reply_to(poll),
        )

    def _look_again(self) -> None:
        self._look.set()

    async def _until_something_changes(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS + 1):
                await self._look.wait()
        except TimeoutError:
            self._all_forgotten()

    def _all_forgotten(self) -> None:
        """The broker knows nothing of our polls any more."""
        for poll in self._polls.values():
            self._ended(poll)

    def _ended(self, poll: Poll, *, failed: bool = False) -> None:
        poll.expected, poll.failed = 0, poll.failed or failed
        self._look.set()

    def _arrived(self, message: Msg) -> None:
        if status_of(message):
            self._told(message)
        else:
            self._take(message)

    def _told(self, message: Msg) -> None:
        """The broker says that a poll has ended; of those before the last one of an address that is no news."""
        for poll in self._polls.values():
            if message.subject != self._reply_to(poll):
                continue
            if description_of(message) == CROWDED:  # others wait, and we do so when their polls are over
                asyncio.get_running_loop().call_later(POLL_SECONDS, self._over, poll, poll.number)
            else:
                self._ended(poll, failed=status_of(message) != EXPIRED)

    def _over(self, poll: Poll, number: int) -> None:
        if poll.number == number:
            self._ended(poll)

    def _reply_to(self, poll: Poll) -> str:
        return f"{self._inbox}.{poll.name}-{poll.number}"

    # Running

    def _take(self, message: Msg) -> None:
        """Start it, but where our word that it is in progress, or done, did not reach a broker that was killed."""
        poll, sequence = self._polls[message.metadata.consumer], message.metadata.sequence.stream
        poll.expected = max(0, poll.expected - 1)
        if not poll.expected:
            self._look.set()
        if (sequence, message_id_of(message)) in self._done:
            self._settling.take(self._settle(message, ACK))
        elif sequence not in self._in_hand:
            self._start(sequence, poll, message)

    def _start(self, sequence: int, poll: Poll, message: Msg) -> None:
        try:
            delivery = _delivery(message)
        except Unproven as wrong:
            refuse("cast", poll.address, str(wrong))
            self._settling.take(self._settle(message, ACK))
            return
        self._in_hand[sequence] = message
        task = self._hands.take(self._in_turn(poll.address, delivery))
        task.add_done_callback(partial(self._ran, sequence))

    async def _in_turn(self, address: Address, delivery: CastDelivery) -> float | None:
        async with self._places.one(address) as place:
            delivery = replace(delivery, aside=place.aside)
            return await (self._run_whole(address, delivery) if is_ticket(delivery.body) else self._run(delivery))

    async def _run_whole(self, address: Address, delivery: CastDelivery) -> float | None:
        """With its body put together. One that cannot be had any more is run as it is, so that it is parked above."""
        try:
            body = await self._bodies.get(address, delivery.body)
        except (NotTaken, TimeoutError):
            return BODY_AGAIN_SECONDS
        except Gone as gone:
            count("transport.bodies_gone")
            log.error("transport.body_gone", message_id=delivery.message_id, reason=str(gone))
            body = delivery.body
        return 0.0 if self._stopping else await self._run(replace(delivery, body=body))

    def _address_of(self, message: Msg) -> Address:
        return self._polls[message.metadata.consumer].address

    def _ran(self, sequence: int, task: asyncio.Task[float | None]) -> None:
        message, word = self._in_hand.pop(sequence), _word(task)
        if word == ACK:
            self._remember(sequence, message)
        if not self._abandoned:
            self._settling.take(self._settle(message, word))
        self._look.set()

    def _remember(self, sequence: int, message: Msg) -> None:
        self._done[sequence, message_id_of(message)] = None
        if len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]

    async def _settle(self, message: Msg, word: bytes) -> None:
        """Say what became of it until the broker has confirmed that, or has given the message to somebody else."""
        if self._stopping and word != ACK:
            await self._withdrawn.wait()  # else what we give back might come straight back to us
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._ack_wait
        while loop.time() < deadline:
            try:
                await self._connection.request(message.reply, word, SETTLE_SECONDS)
            except (NotTaken, TimeoutError):
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                if word == ACK:
                    await self._bodies.drop(self._address_of(message), message.data)
                return

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(self._ack_wait / 3)
            deadline = asyncio.get_running_loop().time() + self._ack_wait
            for message in [*self._in_hand.values()]:
                try:
                    await self._connection.publish(message.reply, IN_PROGRESS, deadline=deadline)
                except (NotTaken, TimeoutError):
                    break  # The broker is away; it is told when it is back, or sends the message to somebody else.


def _delivery(message: Msg) -> CastDelivery:
    """Raises Unproven."""
    attempt, sender = message.metadata.num_delivered, sender_of(message)
    return CastDelivery(message.data, message_id_of(message), attempt, sender, is_replayed(message))


def _word(task: asyncio.Task[float | None]) -> bytes:
    """What the broker is told: done, or that it has to send the message again."""
    delay = 0.0 if task.cancelled() else task.result()
    if delay is None:
        return ACK
    return b"-NAK " + msgspec.json.encode({"delay": nanoseconds(max(delay, 0.0))}) if delay > 0 else b"-NAK"
