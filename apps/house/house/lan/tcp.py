"""The first segment of a TCP connection (RFC 9293)."""

from __future__ import annotations

import struct

from house.lan.errors import Malformed

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16


def asked_port(segment: bytes) -> int | None:
    """The port to which a connection is asked for; None for a segment that asks for none. Raises Malformed."""
    if len(segment) < 20 or not 20 <= (segment[12] >> 4) * 4 <= len(segment):
        raise Malformed("TCP", f"{len(segment)} bytes are no whole header")
    if segment[13] & (_FIN | _SYN | _RST | _ACK) != _SYN:
        return None
    port: int = struct.unpack_from("!H", segment, 2)[0]
    return port
