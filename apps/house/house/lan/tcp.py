"""The first segment of a TCP connection (RFC 9293)."""

from __future__ import annotations

import struct

from house.lan import ip
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


def with_checksum(packet: ip.Packet) -> bytes:
    """The segment with its checksum. A kernel leaves that to its network card, and between virtual machines of one host
    nobody fills it in: who hands a segment on does."""
    segment = packet.payload[:16] + b"\0\0" + packet.payload[18:]
    head = packet.source.packed + packet.destination.packed + struct.pack("!II", len(segment), ip.TCP)
    return segment[:16] + struct.pack("!H", ip.checksum(head + segment)) + segment[18:]
