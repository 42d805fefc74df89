"""Pings (RFC 792, RFC 4443)."""

from __future__ import annotations

from house.lan import ip

_ECHO_V4, _ECHO_V6 = 8, 128


def is_ping(packet: ip.Packet) -> bool:
    """Whether a packet asks for an echo."""
    echo = _ECHO_V4 if packet.protocol == ip.ICMP else _ECHO_V6
    return packet.protocol in (ip.ICMP, ip.ICMPV6) and packet.payload[:2] == bytes((echo, 0))
