"""What a message of NATS says beside its body."""

from __future__ import annotations

from nats.aio.msg import Msg

from midflight.transports.base import Identity, identity_of

STATUS = "Status"
"""The header by which the broker itself speaks; its values are those of HTTP."""

DESCRIPTION = "Description"
"""The header that says it in words."""

NO_RESPONDERS = "503"

_VERSION = "NATS/1.0"

MESSAGE_ID = "Nats-Msg-Id"
"""The broker stores what has the same once, within two minutes."""

OWN_ID = "Midflight-Id"
"""The id of a cast that was replayed: to the broker it is another message than before."""

FROM = "Midflight-From"
"""Who sent a cast that was parked: service and host, with a dot between them."""

SEQUENCE = "Nats-Sequence"
SUBJECT = "Nats-Subject"
STREAM = "Nats-Stream"
"""The headers of a message that the store itself has sent, since it was asked for it."""

SIGN = "Midflight-Sign"
"""On a reply that is no answer yet: after how many seconds the next one comes, and the host on which the call runs."""

CANCEL = "Midflight-Cancel"
"""On what is sent to who has it in hand: the name of a call that nobody waits for any more."""

PART = "Midflight-Part"
"""On a part of a body: where in it the part begins, how many bytes the body has, and the host that has the rest."""

MORE = "Midflight-More"
"""Asks for the part of a body that begins there, and says on which host it is wanted."""


def message_of(subject: bytes, reply: bytes, headers: bytes, body: bytes) -> Msg:
    """A message as it comes by the wire."""
    said = _headers_in(headers) if headers else None
    return Msg(None, subject.decode(), reply.decode(), body, said)  # type: ignore[arg-type]  # it is answered through the connection


def _headers_in(raw: bytes) -> dict[str, str]:
    """Behind ``NATS/1.0`` stands the status, where the broker itself speaks, and below it a line for each header."""
    first, *lines = raw.decode(errors="replace").split("\r\n")
    status = first[len(_VERSION) :].split(maxsplit=1)
    headers: dict[str, str] = {}
    if status and status[0].isdigit():
        headers.update(zip((STATUS, DESCRIPTION), status, strict=False))
    for name, colon, value in (line.partition(":") for line in lines):
        if colon:
            headers[name.strip()] = value.strip()
    return headers


def status_of(message: Msg) -> str | None:
    """What the broker itself says with this message; None where a peer speaks."""
    return message.headers.get(STATUS) if message.headers and not message.data else None


def description_of(message: Msg) -> str:
    """The same in words; empty where there are none."""
    return (message.headers or {}).get(DESCRIPTION, "").strip()


def message_id_of(message: Msg) -> str:
    """The id by which a message was sent; empty for one that somebody else has sent."""
    headers = message.headers or {}
    return headers.get(OWN_ID) or headers.get(MESSAGE_ID, "")


def is_replayed(message: Msg) -> bool:
    """Whether a cast had been parked, and was sent again."""
    return OWN_ID in (message.headers or {})


def first_sender(message: Msg) -> Identity | None:
    """Who sent a cast before it was parked, by the word of who parked it."""
    service, _, host = (message.headers or {}).get(FROM, "").partition(".")
    return identity_of(service, host)


def identity(message_id: str, act: str) -> dict[str, str]:
    """The headers of a message that is sent under this id; and in which act, if it is replayed."""
    return {MESSAGE_ID: f"{message_id}.{act}", OWN_ID: message_id} if act else {MESSAGE_ID: message_id}


def sequence_of(stored: Msg) -> int:
    """The place of a stored message in its stream."""
    return int((stored.headers or {})[SEQUENCE])


def subject_of(stored: Msg) -> str:
    """The subject to which a stored message was put."""
    return (stored.headers or {})[SUBJECT]


def sign_of_life(host: str | None, pause: float) -> dict[str, str]:
    """The headers of a sign of life from a host of which the next one comes after ``pause`` seconds."""
    return {SIGN: f"{pause:.3f} {host or ''}"}


def sign_in(message: Msg) -> tuple[str, str] | None:
    """The host and the pause that a sign of life speaks of, unread; None where a message is none."""
    if not message.headers or SIGN not in message.headers:
        return None
    pause, _, host = message.headers[SIGN].partition(" ")
    return host, pause


def cancelling(name: str) -> dict[str, str]:
    """The headers of a message that cancels the call of this name."""
    return {CANCEL: name}


def cancelled_by(message: Msg) -> str | None:
    """The name of the call that a message cancels; None where it does not."""
    return message.headers.get(CANCEL) if message.headers else None
