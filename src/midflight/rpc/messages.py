"""Messages: the envelopes of requests and replies, as MessagePack.

The fields of an envelope only ever grow, with defaults; a change that an older peer cannot skip raises PROTOCOL.
``protocol`` and ``sender`` keep their names and forms for ever, so that a stranger can be told who and what.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, TypeVar

import msgspec

from midflight.context import Caller
from midflight.errors import MalformedMessage
from midflight.versions import Manifest

PROTOCOL = 1
"""1: the first."""

M = TypeVar("M")
Name = Annotated[str, msgspec.Meta(max_length=250)]
"""What a peer calls something. Bounded, since it is logged and counted."""
Plain = str | int | float | bool | None
_NOTHING = msgspec.Raw(b"\xc0")


class Sender(msgspec.Struct, frozen=True, omit_defaults=True):
    """The member that sent a message."""

    service: Name
    host: Name
    release: Name
    member: Name = ""
    pin_epoch: int = 0

    @classmethod
    def of(cls, member: Caller, pin_epoch: int) -> Sender:
        """The sender's part of the envelopes of a member."""
        return cls(member.service, member.host, member.release, member.member, pin_epoch)

    def caller(self, manifest: Manifest | None = None) -> Caller:
        """The same for the code that serves the message."""
        return Caller(self.service, self.host, self.release, self.member, self.pin_epoch, manifest)

    def __str__(self) -> str:
        return str(self.caller())


class Request(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A call, a cast or a fanout.

    ``version`` is the interface's version in which the arguments are said. ``manifest`` is the digest of the sender's
    own manifest; its text is in ``manifest_text`` in casts, fanouts, and calls after a reply ``need_manifest``. ``ttl``
    is how many seconds the sender of a call still waits. ``message_id`` stands for one request, however often it is
    sent; that of a cast is the broker's too. ``host`` is the one host that was meant. ``audience`` holds the digests of
    the manifests that a fanout is meant for; when it is empty, it is meant for everyone. ``order`` is the ordering key,
    in the topic and host where it is sent. A cast ``expires`` at that time, in seconds of Unix time. ``trace`` is W3C's
    trace context, its headers by their names.
    """

    protocol: int
    sender: Sender
    kind: Name
    interface: Name
    version: Name
    method: Name
    arguments: msgspec.Raw
    manifest: Name
    manifest_text: dict[str, list[str]] | None = None
    values: dict[str, str] = {}
    request_id: Name = ""
    message_id: Name = ""
    host: Name | None = None
    ttl: float | None = None
    audience: tuple[str, ...] = ()
    order: Name = ""
    expires: float | None = None
    trace: dict[str, str] | None = None

    @property
    def what(self) -> str:
        """``compute.reboot``"""
        return f"{self.interface}.{self.method}"


class Fault(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error on its way to the caller. ``family`` says whose ``kind`` it is: midflight, project or other."""

    family: str
    kind: str
    message: str = ""
    facts: dict[str, Plain] = {}
    args: tuple[Plain, ...] = ()


class Reply(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``status`` is ``ok``, ``failed`` (it ran, and raised), ``refused`` (it did not run, unless its fault is Unknown)
    or ``need_manifest`` (it did not run: send it again with your manifest's text)."""

    protocol: int
    sender: Sender
    status: str
    result: msgspec.Raw = _NOTHING
    fault: Fault | None = None


class _Head(msgspec.Struct):
    protocol: int
    sender: Sender | None = None


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)
_heads = msgspec.msgpack.Decoder(_Head)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError, MemoryError)


def encode(message: Request | Reply) -> bytes:
    """The bytes of a message."""
    return _encoder.encode(message)


def decode_request(body: bytes) -> Request:
    """Raises MalformedMessage, which says what was received, from whom if that can be known, and what is understood."""
    request = _decoded(_requests, body)
    if request.ttl is not None and not isfinite(request.ttl):
        raise MalformedMessage(sender=str(request.sender), reason=f"it is said to wait {request.ttl} s")
    if request.expires is not None and not isfinite(request.expires):
        raise MalformedMessage(sender=str(request.sender), reason=f"it is said to expire at {request.expires}")
    return request


def decode_reply(body: bytes) -> Reply:
    """As decode_request."""
    return _decoded(_replies, body)


def _decoded(decoder: msgspec.msgpack.Decoder[M], body: bytes) -> M:
    try:
        message: Any = decoder.decode(body)
    except _UNREADABLE as wrong:
        raise _refused(body, wrong) from None
    if message.protocol != PROTOCOL:
        raise _stranger(message.protocol, message.sender)
    return message  # type: ignore[no-any-return]  # of the decoder's type


def _refused(body: bytes, wrong: BaseException) -> MalformedMessage:
    """An unreadable body may be that of a newer protocol, whose head is still as ours."""
    try:
        head = _heads.decode(body)
    except _UNREADABLE:
        head = _Head(PROTOCOL)
    if head.protocol != PROTOCOL:
        return _stranger(head.protocol, head.sender)
    sender = str(head.sender) if head.sender else "an unknown sender"
    return MalformedMessage(sender=sender, reason=f"its {len(body)} bytes cannot be read: {_said(wrong)}")


def _said(wrong: BaseException) -> str:
    return "nested too deep" if isinstance(wrong, RecursionError) else str(wrong) or type(wrong).__name__


def _stranger(protocol: int, sender: Sender | None) -> MalformedMessage:
    who = str(sender) if sender else "an unknown sender"
    newer = f": the sender is {who}, newer than this process" if protocol > PROTOCOL else f": the sender is {who}"
    return MalformedMessage(sender=who, reason=f"received protocol {protocol}, understand {PROTOCOL}{newer}")
