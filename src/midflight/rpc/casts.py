"""Casts at their receiver: run, refused and parked, held back behind an earlier one, taken up again.

What is parked stays so until it has run or is discarded; who replays it only says that it may run. So a replay that
comes twice, or too late, does nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from midflight import telemetry
from midflight.errors import (
    BrokerUnreachable,
    IdReused,
    MalformedMessage,
    MidflightError,
    NotAllowed,
    NotDelivered,
)
from midflight.rpc import messages
from midflight.rpc.arrival import Arrival, counted_as, first_sender
from midflight.rpc.manifests import NeedManifest
from midflight.rpc.messages import Request
from midflight.rpc.order import Key, Order
from midflight.rpc.parked import BEHIND, Parking, expiry_of, key_of, may_go_on
from midflight.rpc.repeats import Interrupted, Once, State, Unsettled
from midflight.rpc.work import Work, leave_if_stopped
from midflight.transports.base import (
    Address,
    CastDelivery,
    Identity,
    NoAnswer,
    ParkedMessage,
    Redeliver,
    Transport,
)
from midflight.transports.hands import Hands

MOST_ATTEMPTS = 10
"""A cast whose handler fails when it was given out this often is parked; what was given back counts too."""
_LONGEST_PAUSE = 30.0
_BROKER_AWAY = 1.0
_ITS_TURN = 0.5
"""Seconds until a cast comes again that waits for an earlier one, which has failed and comes again too."""


class Casts:
    """The casts of one receiver. ``prepare`` makes work of a request and its sender, or raises why not; ``admit``
    raises why what was parked may not run, whoever replays it."""

    def __init__(
        self,
        transport: Transport,
        parking: Parking,
        once: Once,
        prepare: Callable[[Request, Identity | None], Work],
        admit: Callable[[Work, ParkedMessage, Identity | None], None],
        on_refusal: Callable[[Request | None, BaseException, Identity | None], None],
        on_failure: Callable[[Work, BaseException], None],
    ) -> None:
        self._transport, self._parking, self._once = transport, parking, once
        self._prepare, self._admit = prepare, admit
        self._on_refusal, self._on_failure = on_refusal, on_failure
        self._order, self._hands, self._timers = Order(), Hands(), Hands()
        self._found: dict[Address, list[ParkedMessage]] = {}
        self._wakes: set[Key] = set()
        self._failed: set[str] = set()
        """The ids of what was taken up, and failed: for the next start, or an operator."""
        self._draining = False

    async def on_cast(self, delivery: CastDelivery, address: Address) -> None:
        """Serve a cast that came to ``address``, or park it. Raises Redeliver for one that shall come again."""
        arrival = self._read(delivery, address)
        # Nothing is awaited before: turns are in the order of arrival.
        async with self._order.turn(arrival.key, delivery.aside):
            try:
                await self._serve(arrival, arrival.key)
            except (BrokerUnreachable, NoAnswer) as away:
                self._order.expect(arrival.key, arrival.message_id, _BROKER_AWAY)
                raise Redeliver(_BROKER_AWAY) from away

    def _read(self, delivery: CastDelivery, address: Address) -> Arrival:
        request: Request | None = None
        try:
            request = messages.decode_request(delivery.body)
            return Arrival(delivery, address, request, self._prepare(request, first_sender(delivery)), None)
        except NeedManifest:
            who = str(request.sender) if request else "an unknown sender"
            lost = MalformedMessage(sender=who, reason="a cast must bring its sender's manifest")
            return Arrival(delivery, address, request, None, lost)
        except Exception as error:  # noqa: BLE001  # a message must never kill the server
            return Arrival(delivery, address, request, None, error)

    async def _serve(self, arrival: Arrival, key: Key | None) -> None:
        """1. whether it may still run 2. whether it is its turn 3. run it, or park it."""
        if arrival.delivery.replayed:
            parked = await self._transport.find_parked(arrival.parked_at, arrival.message_id)
            if parked is None:
                telemetry.log.info("rpc.replay_void", method=arrival.what, message_id=arrival.message_id)
                return
            arrival = self._admitted(arrival, parked)
        if arrival.request is not None and _is_past(arrival.request.expires):
            await self._drop(
                arrival.parked_at if arrival.delivery.replayed else None, arrival.message_id, arrival.counted_as, key
            )
        elif key is None or await self._is_its_turn(arrival, key):
            await self._run_or_park(arrival, key)

    def _admitted(self, arrival: Arrival, parked: ParkedMessage) -> Arrival:
        """The same, without its work where that may not run."""
        if arrival.work is None:
            return arrival
        try:
            self._admit(arrival.work, parked, arrival.delivery.sender)
        except NotAllowed as error:
            return replace(arrival, work=None, error=error)
        return arrival

    async def _is_its_turn(self, arrival: Arrival, key: Key) -> bool:
        """False where it is parked behind an earlier one. Raises Redeliver where that one is about to come again."""
        if not arrival.delivery.replayed and self._order.is_parked(key, arrival.message_id):
            return False  # the broker had not heard that
        if self._order.expects_another(key, arrival.message_id):
            raise Redeliver(_ITS_TURN)
        await self._go_on(key, arrival.message_id if arrival.delivery.replayed else "")
        ahead = self._order.first(key)
        if ahead is None or ahead.message_id == arrival.message_id:
            return True
        if not arrival.delivery.replayed:
            error = arrival.error or held_back(arrival.what, ahead.message_id)
            await self._park(arrival, key, error, "" if arrival.error else ahead.message_id)
        return False

    async def _run_or_park(self, arrival: Arrival, key: Key | None) -> None:
        if arrival.work is not None:
            await self._effect(arrival, arrival.work, key)
        elif arrival.delivery.replayed:  # it stays where it is
            self._on_refusal(arrival.request, arrival.refusal, arrival.sender)
        else:
            await self._park(arrival, key, arrival.refusal)

    async def _effect(self, arrival: Arrival, work: Work, key: Key | None) -> None:
        replayed = arrival.delivery.replayed
        try:
            await self._once.run(work, arrival.message_id, by_word=replayed, aside=arrival.delivery.aside)
        except Redeliver as not_now:
            self._order.expect(key, arrival.message_id, not_now.delay)
            raise
        except IdReused as error:
            self._on_refusal(arrival.request, error, arrival.sender)
        except Unsettled as unsettled:
            if not replayed:  # else it stays where it is
                await self._park(arrival, key, unsettled.error, counted=False)
            await self._note_unsettled(work, unsettled)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # nor must its handler
            leave_if_stopped(error)
            self._on_failure(work, error)
            await self._again_or_park(arrival, key, error)
        else:
            if replayed:
                await self._ran(arrival.parked_at, arrival.message_id, work, key)
            if key is not None:
                await self._go_on(key)

    async def _note_unsettled(self, work: Work, unsettled: Unsettled) -> None:
        await self._once.park(unsettled.receipt)
        if isinstance(unsettled, Interrupted):
            telemetry.count("rpc.interrupted", method=work.form.what)
        else:
            self._on_failure(work, unsettled.error)

    async def _again_or_park(self, arrival: Arrival, key: Key | None, error: BaseException) -> None:
        delivery = arrival.delivery
        if delivery.attempt < MOST_ATTEMPTS:
            pause = min(0.1 * 2**delivery.attempt, _LONGEST_PAUSE)
            self._order.expect(key, delivery.message_id, pause)
            raise Redeliver(pause) from error
        if not delivery.replayed:
            await self._park(arrival, key, error, counted=False)

    async def _park(
        self, arrival: Arrival, key: Key | None, error: BaseException, behind: str = "", *, counted: bool = True
    ) -> None:
        if behind:
            telemetry.count("rpc.held_back", method=arrival.counted_as)
        elif counted:
            self._on_refusal(arrival.request, error, arrival.sender)
        facts = {"order": key[1]} if key else {}
        facts |= {BEHIND: behind} if behind else {}
        try:
            message = await self._parking.park(arrival.delivery, arrival.parked_at, arrival.request, error, facts)
        except Redeliver as again:
            self._order.expect(key, arrival.message_id, again.delay)
            raise
        telemetry.count("rpc.parked", method=arrival.counted_as)
        if key is not None:
            self._order.park(key, message)
            self._wake_at_expiry(key)

    async def _drop(self, parked_at: Address | None, message_id: str, what: str, key: Key | None) -> None:
        """It is worth nothing any more, by the word of who sent it; nor is it where it was parked."""
        telemetry.count("rpc.expired", method=what)
        telemetry.log.warning("rpc.cast_expired", method=what, message_id=message_id)
        if parked_at is not None:
            await self._transport.discard(parked_at, message_id)
        self._order.forget(key, message_id)

    # What is parked, and may go on by itself.

    async def recall(self, address: Address) -> None:
        """Before the first cast comes to this address: know what is parked there."""
        here = dict.fromkeys((Address(address.topic), address))
        found = [each for where in here for each in await self._transport.parked(where)]
        self._found[address] = found
        for message in found:
            if (key := key_of(message)) is not None:
                self._order.park(key, message)

    def take_up(self, address: Address) -> None:
        """Now that casts come: let go on what was parked for its version, is declared replayable, and is understood
        now; and what was held back and is first."""
        self._hands.take(self._take_up(self._found.pop(address, [])))

    async def _take_up(self, found: list[ParkedMessage]) -> None:
        for message in found:
            try:
                await self._take_up_one(message)
            except MidflightError as trouble:  # it stays parked, for the next start or an operator
                telemetry.log.warning("rpc.not_taken_up", message_id=message.message_id, reason=str(trouble))

    async def _take_up_one(self, message: ParkedMessage) -> None:
        key = key_of(message)
        if key is not None:
            async with self._order.turn(key):
                await self._go_on(key)
                self._wake_at_expiry(key)
        elif message.address.host is None and not _is_past(expiry_of(message)):
            # Several may start at once: through the queue, one of them gets it.
            if self._work_of(message) is not None:
                await self._transport.replay(message, "taken up")
        else:
            await self._take(message, None)

    async def _go_on(self, key: Key, until: str = "") -> None:
        """In the turn of a key: take what is first, as long as that may go on; but not the one that has just come."""
        while (message := self._order.first(key)) is not None and message.message_id != until:
            if not await self._take(message, key):
                return

    async def _take(self, message: ParkedMessage, key: Key | None) -> bool:
        """Whether it is out of the way: decided by somebody, expired, or run."""
        if await self._transport.find_parked(message.address, message.message_id) is None:
            self._order.forget(key, message.message_id)
            return True
        if _is_past(expiry_of(message)):
            await self._drop(message.address, message.message_id, counted_as(self._understood(message)), key)
            return True
        work = None if message.message_id in self._failed else self._work_of(message)
        return work is not None and await self._has_run(message, work, key)

    def _work_of(self, message: ParkedMessage) -> Work | None:
        work = self._understood(message)
        return work if work is not None and may_go_on(message, work.form.spec.casting) else None

    def _understood(self, message: ParkedMessage) -> Work | None:
        try:
            work = self._prepare(messages.decode_request(message.body), None)
            self._admit(work, message, None)
            return work
        except Exception:  # noqa: BLE001  # it is parked for good reason, which was told when it was
            return None

    async def _has_run(self, message: ParkedMessage, work: Work, key: Key | None) -> bool:
        try:
            if await self._once.run(work, message.message_id) is State.PARKED:
                return False
        except Redeliver:  # somebody else has it in hand
            return False
        except Unsettled as unsettled:
            await self._note_unsettled(work, unsettled)
            return False
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # it stays parked
            leave_if_stopped(error)
            self._on_failure(work, error)
            self._failed.add(message.message_id)
            return False
        await self._ran(message.address, message.message_id, work, key)
        return True

    async def _ran(self, address: Address, message_id: str, work: Work, key: Key | None) -> None:
        telemetry.count("rpc.parked_ran", method=work.form.what)
        telemetry.log.info("rpc.parked_ran", method=work.form.what, message_id=message_id)
        self._order.forget(key, message_id)
        try:
            await self._transport.discard(address, message_id)
        except MidflightError as trouble:  # it has run, and would run again at the next start, or when it is replayed
            telemetry.log.error("rpc.not_discarded", message_id=message_id, reason=str(trouble))

    def _wake_at_expiry(self, key: Key) -> None:
        """The first of a key may be the one that all others wait for."""
        message = self._order.first(key)
        expires = expiry_of(message) if message else None
        if expires is not None and key not in self._wakes and not self._draining:
            self._wakes.add(key)
            self._timers.take(self._wake(key, expires - time.time()))

    async def _wake(self, key: Key, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
        self._wakes.discard(key)
        async with self._order.turn(key):
            await self._go_on(key)
            self._wake_at_expiry(key)

    async def refuse_behind(self, request: Request, work: Work, topic: str) -> None:
        """A call cannot wait. Raises NotDelivered for one with a key of which an earlier cast is parked."""
        key = (topic, work.order)
        if not work.order or (ahead := self._order.first(key)) is None:
            return
        if await self._transport.find_parked(ahead.address, ahead.message_id) is not None and not _is_past(
            expiry_of(ahead)
        ):
            raise held_back(request.what, ahead.message_id)

    async def drain(self, timeout: float) -> None:
        """Finish what was taken up; what is left stays parked."""
        self._draining = True
        await self._timers.drop()
        await self._hands.finish(timeout)
        await self._hands.drop()


def held_back(what: str, ahead: str) -> NotDelivered:
    """Why something has to wait."""
    return NotDelivered(what=what, reason=f"an earlier cast with its ordering key is parked: {ahead}")


def _is_past(expires: float | None) -> bool:
    return expires is not None and time.time() >= expires
