"""Magic packets (AMD, publication 20213): six bytes of ones, and the sleeper's address sixteen times,
anywhere in a frame."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

from house.lan import ethernet, ip
from house.lan.ethernet import Frame
from house.lan.mac import BROADCAST, Mac

_DISCARD = 9
_EVERYBODY = IPv4Address("255.255.255.255")


def payload(mac: Mac) -> bytes:
    """What the sleeper's network card looks for."""
    return b"\xff" * 6 + mac * 16


def frames(mac: Mac, says: Mac, source: IPv4Address, vlan: int | None = None) -> list[Frame]:
    """One try: bare Ethernet, and UDP to port 9. Some cards know one of the two only. Both are made here, so no route
    decides on which interface they leave."""
    return [
        Frame(BROADCAST, says, ethernet.WAKE, payload(mac), vlan),
        Frame(BROADCAST, says, ethernet.IPV4, _datagram(payload(mac), source), vlan),
    ]


def is_for(mac: Mac, data: bytes) -> bool:
    """Whether a network card with this address would wake its machine for a frame."""
    return payload(mac) in data


def _datagram(body: bytes, source: IPv4Address) -> bytes:
    """UDP without a checksum, which IPv4 allows."""
    segment = struct.pack("!HHHH", _DISCARD, _DISCARD, 8 + len(body), 0) + body
    fields = 0x45, 0, 20 + len(segment), 0, 0, 64, ip.UDP
    addresses = source.packed + _EVERYBODY.packed
    total = ip.checksum(struct.pack("!BBHHHBBH", *fields, 0) + addresses)
    return struct.pack("!BBHHHBBH", *fields, total) + addresses + segment
