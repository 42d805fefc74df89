"""Headers of IPv4 (RFC 791) and IPv6 (RFC 8200), as far as whoever asks for a machine uses them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from house.lan.errors import BadAddress, Malformed

Address = IPv4Address | IPv6Address
TCP, ICMP, UDP, ICMPV6 = 6, 1, 17, 58
_IPV6_HEADER = 40


@dataclass(frozen=True, slots=True)
class Packet:
    """What one address says to another."""

    source: Address
    destination: Address
    protocol: int
    payload: bytes
    hops: int = 64


def parse(text: str) -> Address:
    """An address of either kind. Raises BadAddress, also for those that no machine has for itself."""
    try:
        address = ip_address(text)
    except ValueError:
        raise BadAddress(text, "an IPv4 or IPv6 address, like 192.0.2.7 or 2001:db8::7") from None
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise BadAddress(text, "the address of one machine")
    return address


def decode_v4(data: bytes) -> Packet:
    """The payload of a frame of IPv4. Of what comes in fragments, only the first is read. Raises Malformed."""
    if len(data) < 20:
        raise Malformed("IPv4", f"{len(data)} bytes, expected at least 20")
    size, (total, _, fragment) = (data[0] & 15) * 4, struct.unpack_from("!HHH", data, 2)
    if data[0] >> 4 != 4 or size < 20 or not size <= total <= len(data):
        raise Malformed("IPv4", f"version {data[0] >> 4}, header {size}, length {total} in {len(data)} bytes")
    if fragment & 0x1FFF:
        raise Malformed("IPv4", "a later fragment")
    addresses = IPv4Address(data[12:16]), IPv4Address(data[16:20])
    return Packet(*addresses, data[9], data[size:total], data[8])


def decode_v6(data: bytes) -> Packet:
    """The payload of a frame of IPv6. Extension headers are not followed: who asks for a machine sends none. Raises
    Malformed."""
    if len(data) < _IPV6_HEADER:
        raise Malformed("IPv6", f"{len(data)} bytes, expected at least {_IPV6_HEADER}")
    (length,) = struct.unpack_from("!H", data, 4)
    if data[0] >> 4 != 6 or len(data) < _IPV6_HEADER + length:
        raise Malformed("IPv6", f"version {data[0] >> 4}, length {length} in {len(data)} bytes")
    addresses = IPv6Address(data[8:24]), IPv6Address(data[24:40])
    return Packet(*addresses, data[6], data[_IPV6_HEADER : _IPV6_HEADER + length], data[7])


def encode_v6(packet: Packet) -> bytes:
    """The payload of a frame."""
    header = struct.pack("!IHBB", 6 << 28, len(packet.payload), packet.protocol, packet.hops)
    return header + packet.source.packed + packet.destination.packed + packet.payload


def pseudo_header(source: IPv6Address, destination: IPv6Address, length: int, protocol: int) -> bytes:
    """What a checksum over IPv6 covers beside the payload."""
    return source.packed + destination.packed + struct.pack("!II", length, protocol)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); 0 over what carries its own."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
