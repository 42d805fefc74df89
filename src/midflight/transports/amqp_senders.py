"""Who has sent a message of RabbitMQ: by the user of its connection, which the broker checks.

A member's user is called ``SERVICE.HOST``. Whoever has another one, on a broker that gives no rights, says who it is,
and is believed by its like; who has such a user believes the broker alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiormq import spec
from aiormq.abc import DeliveredMessage

from midflight.transports.base import Identity, identity_of
from midflight.transports.handlers import Unproven

FROM = "midflight-from"
"""Our header for who sent a cast first, on one that was put into its queue anew."""


def user_of(identity: Identity) -> str:
    """What the broker calls a member."""
    return f"{identity.service}.{identity.host}"


def first_sender(message: DeliveredMessage) -> Identity | None:
    """Who sent a cast before it was parked, by the word of who parked it."""
    service, _, host = str((message.header.properties.headers or {}).get(FROM, "")).partition(".")
    return identity_of(service, host)


@dataclass(frozen=True)
class Senders:
    """Says who we are in what we send, and finds who sent what we get. ``user`` is ours at the broker."""

    identity: Identity
    user: str

    @property
    def are_proven(self) -> bool:
        """Whether our broker knows its members."""
        return self.user == user_of(self.identity)

    def sign(self, properties: spec.Basic.Properties) -> None:
        """Say that it is from us."""
        if self.are_proven:
            properties.user_id = self.user
        else:
            properties.app_id = user_of(self.identity)

    def of(self, message: DeliveredMessage) -> Identity:
        """Who sent a message, or put it into its queue anew. Raises Unproven."""
        properties = message.header.properties
        said = properties.user_id if self.are_proven else properties.app_id or properties.user_id
        service, _, host = str(said or "").partition(".")
        if (sender := identity_of(service, host)) is None:
            raise Unproven(f"{message.routing_key}: its sender is {said!r}, which is no SERVICE.HOST")
        return sender

    def of_cast(self, message: DeliveredMessage, *, shared: bool) -> Identity:
        """Who sent a cast first. That is believed of ourselves only, and where it came through a queue that is
        ``shared`` of those who share it. Raises Unproven."""
        signed, first = self.of(message), (message.header.properties.headers or {}).get(FROM)
        if first is None:
            return signed
        if signed != self.identity and not (shared and signed.service == self.identity.service):
            raise Unproven(f"{message.routing_key}: {signed} says that it is from {first!r}")
        if (sender := first_sender(message)) is None:
            raise Unproven(f"{message.routing_key}: its first sender is {first!r}, which is no SERVICE.HOST")
        return sender
