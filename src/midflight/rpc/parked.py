"""Parking: a cast that cannot be served is kept with its facts, and its sender is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from midflight import telemetry
from midflight.context import Caller
from midflight.errors import VersionRejected
from midflight.rpc.faults import text_of
from midflight.rpc.messages import Request
from midflight.rpc.rejected import facts_of, parties
from midflight.transports.base import Address, CastDelivery, ParkedMessage, Redeliver, Transport

OnRejected = Callable[[dict[str, str], str], Awaitable[None]]
"""Tells the sender, whose member id is the second argument, the facts of its rejected cast; best effort."""

_AGAIN = 5.0
"""Seconds until a cast comes again that could be neither served nor parked."""


async def tell_nobody(facts: dict[str, str], member: str) -> None:
    """For a process that has no way to the sender."""


class Parking:
    """Keeps what this member could not serve."""

    def __init__(self, transport: Transport, identity: Caller, on_rejected: OnRejected = tell_nobody) -> None:
        self._transport, self._identity, self._on_rejected = transport, identity, on_rejected

    async def park(
        self, delivery: CastDelivery, address: Address, request: Request | None, error: BaseException
    ) -> None:
        """Keep a cast with the error as its reason. Raises Redeliver when the broker does not take it."""
        facts = self._facts(delivery, request, error)
        meant = address.host if request and request.host == address.host else None
        where = Address(address.topic, meant)
        message = ParkedMessage(where, delivery.body, delivery.message_id, facts)
        try:
            await self._transport.park(message)
        except Exception as trouble:  # whatever the broker's trouble, the cast must not be lost
            telemetry.log.error("rpc.not_parked", trouble=repr(trouble), **facts)
            raise Redeliver(_AGAIN) from trouble
        telemetry.log.warning("rpc.parked", address=str(where), **facts)
        if isinstance(error, VersionRejected) and request is not None:
            await self._tell(facts, request.sender.member)

    def _facts(self, delivery: CastDelivery, request: Request | None, error: BaseException) -> dict[str, str]:
        facts = {"message_id": delivery.message_id, "error": type(error).__name__, "reason": text_of(error)}
        if request is None:
            return facts
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
