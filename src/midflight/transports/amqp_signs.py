"""How signs of life and cancellations look over RabbitMQ: messages of types of their own, by the name of their call."""

from __future__ import annotations

from typing import Any

from aiormq import spec
from aiormq.abc import DeliveredMessage

SIGN = "midflight-sign"
"""The type of a reply that is no answer yet."""

CANCEL = "midflight-cancel"
"""The type of what is sent to where calls are taken, for a call that nobody waits for any more."""

HOST, PAUSE = "midflight-host", "midflight-pause"


def sign_of_life(name: str, host: str | None, pause: float) -> spec.Basic.Properties:
    """A sign of life of this call from a host; the next one comes after ``pause`` seconds, and it is of no use then."""
    headers: dict[str, Any] = {HOST: host or "", PAUSE: f"{pause:.3f}"}
    expiration = str(int(pause * 1000))
    return spec.Basic.Properties(correlation_id=name, message_type=SIGN, headers=headers, expiration=expiration)


def sign_in(message: DeliveredMessage) -> tuple[str, str] | None:
    """The host and the pause that a sign of life speaks of, unread; None where a message is none."""
    properties = message.header.properties
    if properties.message_type != SIGN:
        return None
    headers = properties.headers or {}
    return str(headers.get(HOST, "")), str(headers.get(PAUSE, ""))
