"""A cast that has come to its receiver, and what it is about."""

from __future__ import annotations

from dataclasses import dataclass

from midflight.rpc.messages import Request
from midflight.rpc.order import Key
from midflight.rpc.work import Work
from midflight.transports.base import Address, CastDelivery, Identity


@dataclass(frozen=True, slots=True)
class Arrival:
    """A cast that has come, and what became of it: work, or the error that it is refused with."""

    delivery: CastDelivery
    address: Address
    request: Request | None
    work: Work | None
    error: Exception | None

    @property
    def key(self) -> Key | None:
        """None where it has no order: it names nothing, or went to no host."""
        request = self.request
        if request is None or request.host is None or request.host != self.address.host:
            return None
        order = self.work.order if self.work else request.order
        return (self.address.topic, order) if order else None

    @property
    def parked_at(self) -> Address:
        """Where it is parked, or would be: at its host only if it says that it went there."""
        meant = self.address.host if self.request and self.request.host == self.address.host else None
        return Address(self.address.topic, meant)

    @property
    def message_id(self) -> str:
        return self.delivery.message_id

    @property
    def sender(self) -> Identity | None:
        return first_sender(self.delivery)

    @property
    def what(self) -> str:
        return self.request.what if self.request else "unknown"

    @property
    def counted_as(self) -> str:
        """A stranger's names are no names of counters."""
        return counted_as(self.work)

    @property
    def refusal(self) -> Exception:
        """Why it is no work."""
        assert self.error is not None
        return self.error


def first_sender(delivery: CastDelivery) -> Identity | None:
    """Who sent it. Of what had been parked that is known when it is found there."""
    return None if delivery.replayed else delivery.sender


def counted_as(work: Work | None) -> str:
    """What is understood has a name that we know."""
    return work.form.what if work else "unknown"
