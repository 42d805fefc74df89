"""How a parked message is written where a broker keeps it: its facts, and the body that came."""

from __future__ import annotations

import msgspec


def pack(facts: dict[str, str], body: bytes) -> bytes:
    """Both in one."""
    return msgspec.msgpack.encode((facts, body))


def unpack(kept: bytes) -> tuple[dict[str, str], bytes]:
    """Facts and body. What is in a form that we do not know is the body, and its facts say so."""
    try:
        return msgspec.msgpack.decode(kept, type=tuple[dict[str, str], bytes])
    except msgspec.DecodeError as error:
        return {"unreadable": f"parked by another version of midflight: {error}"}, kept
