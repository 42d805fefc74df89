"""The three handlers of a listener, run so that nothing they raise can reach further than the log."""

from __future__ import annotations

from dataclasses import dataclass

from midflight.errors import MessageTooLarge
from midflight.telemetry import bad_input, count, log
from midflight.transports.base import (
    Address,
    CallHandler,
    CastDelivery,
    CastHandler,
    FanoutHandler,
    Identity,
    Redeliver,
)

RETRY_SECONDS = 1.0
"""After this long, a cast whose handler failed comes again."""


class Unproven(Exception):
    """A message does not say who sent it, or says what cannot be so."""


def refuse(kind: str, address: Address, reason: str) -> None:
    """Count a message that is not given to a handler, since nobody can know who sent it."""
    bad_input.note("transport.refused", kind, f"whoever sends to {address}", reason=reason)


@dataclass(frozen=True)
class Handlers:
    """What one listener does with calls, casts and fanouts."""

    address: Address
    on_call: CallHandler
    on_cast: CastHandler
    on_fanout: FanoutHandler

    async def answer(self, body: bytes, sender: Identity, limit: int) -> bytes | None:
        """The answer to a call; None where there is none to send, since another listener gives it, or the handler
        failed, or said too much."""
        try:
            answer = await self.on_call(body, sender)
        except Exception as error:  # noqa: BLE001  # a message can never kill the listener
            self._failed("call", error)
            return None
        if answer is not None and len(answer) > limit:
            self._failed("call", MessageTooLarge(what=f"answer of {self.address}", size=len(answer), limit=limit))
            return None
        return answer

    async def run(self, delivery: CastDelivery) -> float | None:
        """Run a cast. None when it is done with; else after how many seconds it has to come again."""
        try:
            await self.on_cast(delivery)
        except Redeliver as again:
            return again.delay
        except Exception as error:  # noqa: BLE001  # a message can never kill the listener
            self._failed("cast", error, message_id=delivery.message_id, attempt=delivery.attempt)
            return RETRY_SECONDS
        return None

    async def tell(self, body: bytes, sender: Identity) -> None:
        """Run a fanout."""
        try:
            await self.on_fanout(body, sender)
        except Exception as error:  # noqa: BLE001  # a message can never kill the listener
            self._failed("fanout", error)

    def _failed(self, kind: str, error: Exception, **facts: object) -> None:
        count("transport.handler_failed", kind=kind, topic=self.address.topic)
        log.error("transport.handler_failed", kind=kind, address=str(self.address), exc_info=error, **facts)
