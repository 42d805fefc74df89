"""How large a message may be, and for whom: beyond what a broker takes at once it goes in parts, to those who know."""

from __future__ import annotations

from midflight.errors import MessageTooLarge
from midflight.rpc.floors import Floors
from midflight.transports.base import Address, Transport
from midflight.versions import Manifest, Version

IN_PARTS = ("member", Version(1, 1))
"""The interface that all members have, from the version on in which they take bodies in parts."""


def check_request(what: str, body: bytes, transport: Transport, floors: Floors, address: Address) -> None:
    """Raises MessageTooLarge for a call or a cast that is too large for who gets it."""
    if len(body) > transport.max_body:
        limit = _limit(transport, floors.manifest_for(address.topic, address.host))
        _check(what if limit == transport.max_whole else _too_old(what, str(address)), body, limit)


def check_answer(what: str, body: bytes, transport: Transport, caller: Manifest | None) -> None:
    """Raises MessageTooLarge for an answer that is too large for who asked."""
    if len(body) > transport.max_body:
        limit = _limit(transport, caller)
        _check(what if limit == transport.max_whole else _too_old(what, "a caller"), body, limit)


def check_message(what: str, body: bytes, transport: Transport) -> None:
    """Raises MessageTooLarge for what never goes in parts, and is too large: a fanout, or an error."""
    _check(what, body, transport.max_body)


def _limit(transport: Transport, peer: Manifest | None) -> int:
    name, since = IN_PARTS
    version = peer.get(name) if peer is not None else None
    return transport.max_whole if version is not None and version >= since else transport.max_body


def _too_old(what: str, peer: str) -> str:
    return f"{what}, to {peer}, whose midflight is too old for bodies in parts,"


def _check(what: str, body: bytes, limit: int) -> None:
    if len(body) > limit:
        raise MessageTooLarge(what=what, size=len(body), limit=limit)
