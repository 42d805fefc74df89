"""What a message of NATS says beside its body."""

from __future__ import annotations

from nats.aio.msg import Msg

STATUS = "Status"
"""The header by which the broker itself speaks; its values are those of HTTP."""

NO_RESPONDERS = "503"

MESSAGE_ID = "Nats-Msg-Id"

SEQUENCE = "Nats-Sequence"
SUBJECT = "Nats-Subject"


def status_of(message: Msg) -> str | None:
    """What the broker itself says with this message; None where a peer speaks."""
    return message.headers.get(STATUS) if message.headers and not message.data else None


def message_id_of(message: Msg) -> str:
    """The id by which a message was sent; empty for one that somebody else has sent."""
    return (message.headers or {}).get(MESSAGE_ID, "")


def sequence_of(stored: Msg) -> int:
    """The place of a stored message in its stream."""
    return int((stored.headers or {})[SEQUENCE])


def subject_of(stored: Msg) -> str:
    """The subject to which a stored message was put."""
    return (stored.headers or {})[SUBJECT]
