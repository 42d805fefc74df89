"""Parking: a cast that cannot be served is kept with its facts, and its sender is told."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from midflight import telemetry
from midflight.context import Caller
from midflight.errors import VersionRejected
from midflight.rpc.casting import Casting
from midflight.rpc.faults import text_of
from midflight.rpc.messages import Request
from midflight.rpc.order import Key
from midflight.rpc.rejected import OF_SENDER, facts_of, parties
from midflight.rpc.rights import is_from
from midflight.transports.base import Address, CastDelivery, ParkedMessage, Redeliver, Transport

OnRejected = Callable[[dict[str, str], str], Awaitable[None]]
"""Tells the sender, whose member id is the second argument, the facts of its rejected cast; best effort."""

_AGAIN = 5.0
"""Seconds until a cast comes again that could be neither served nor parked."""


BEHIND = "behind"
"""The fact of a cast that was held back: the id of the earlier one of its key that was parked."""


def key_of(message: ParkedMessage) -> Key | None:
    """The ordering key under which a message was parked."""
    order = message.facts.get("order", "")
    return (message.address.topic, order) if order and message.address.host else None


def expiry_of(message: ParkedMessage) -> float | None:
    """When a parked message is worth nothing any more, in seconds of Unix time."""
    try:
        return float(message.facts["expires"])
    except (KeyError, ValueError):
        return None


def may_go_on(message: ParkedMessage, casting: Casting) -> bool:
    """Whether nobody needs to decide, once it is understood: what failed in its handler is never tried by itself."""
    return BEHIND in message.facts or (casting.replayable and message.facts.get("error") == VersionRejected.__name__)


async def tell_nobody(facts: dict[str, str], member: str) -> None:
    """For a process that has no way to the sender."""


class Parking:
    """Keeps what this member could not serve."""

    def __init__(self, transport: Transport, identity: Caller, on_rejected: OnRejected = tell_nobody) -> None:
        self._transport, self._identity, self._on_rejected = transport, identity, on_rejected

    async def park(
        self,
        delivery: CastDelivery,
        address: Address,
        request: Request | None,
        error: BaseException,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> ParkedMessage:
        """Keep a cast with the error as its reason, and with more facts. Raises Redeliver when the broker does not take
        it."""
        message_id = delivery.message_id or _nameless(delivery.body)
        # Who sends it is whom the broker proves; what the message says of that may be why it is parked.
        proven = {"sender": str(delivery.sender)}
        facts = {"message_id": message_id} | self._facts(request, error) | proven | dict(more)
        if request is not None and not is_from(request, delivery.sender):
            facts = {name: fact for name, fact in facts.items() if name not in OF_SENDER}
        message = ParkedMessage(address, delivery.body, message_id, facts, delivery.sender)
        try:
            await self._transport.park(message)
        except Exception as trouble:  # whatever the broker's trouble, the cast must not be lost
            telemetry.log.error("rpc.not_parked", trouble=repr(trouble), **facts)
            raise Redeliver(_AGAIN) from trouble
        # What is no message of ours may come in any number.
        told = {} if request is not None else telemetry.bad_input.turn("rpc.parked", facts["error"], facts["sender"])
        if told is not None:
            telemetry.log.warning("rpc.parked", address=str(address), **facts, **told)
        if isinstance(error, VersionRejected) and request is not None:
            await self._tell(facts, request.sender.member)
        return message

    def _facts(self, request: Request | None, error: BaseException) -> dict[str, str]:
        facts = {"error": type(error).__name__, "reason": text_of(error)}
        facts["parked_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        if request is None:
            return facts
        if request.expires is not None:
            facts["expires"] = repr(request.expires)
        sender = request.sender.caller()
        if isinstance(error, VersionRejected):
            return facts | facts_of(error, sender, self._identity)
        said = {"interface": request.interface, "method": request.what, "requested": request.version}
        return facts | parties(sender, self._identity) | said

    async def _tell(self, facts: dict[str, str], member: str) -> None:
        try:
            await self._on_rejected(facts, member)
        except Exception as trouble:  # noqa: BLE001  # the sender may be gone; the parked message remains
            telemetry.log.warning("rpc.sender_not_told", trouble=repr(trouble), **facts)


def _nameless(body: bytes) -> str:
    """The id of what came without one, as no member sends it: an operator must be able to name it. Of two with the same
    body one is kept."""
    return f"nameless-{hashlib.sha256(body).hexdigest()[:16]}"
