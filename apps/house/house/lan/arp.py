"""ARP (RFC 826) for IPv4 over Ethernet, and the announcements and probes of RFC 5227."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from house.lan import ethernet
from house.lan.errors import Malformed
from house.lan.ethernet import Frame
from house.lan.mac import BROADCAST, UNKNOWN, Mac

REQUEST, REPLY = 1, 2
_NOBODY = IPv4Address(0)
_BODY = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET_IPV4 = 1, ethernet.IPV4, 6, 4


@dataclass(frozen=True, slots=True)
class Arp:
    """Somebody asks for an address, or says who has it."""

    operation: int
    sender_mac: Mac
    sender: IPv4Address
    target_mac: Mac
    target: IPv4Address

    @property
    def asks(self) -> bool:
        """It wants to talk to the target: neither an announcement, nor a probe whether the address is free."""
        return self.operation == REQUEST and self.sender not in (_NOBODY, self.target)

    @property
    def claims(self) -> bool:
        """It says that the sender has the sender's address."""
        return self.sender != _NOBODY

    def encode(self) -> bytes:
        """The payload of a frame."""
        return _BODY.pack(
            *_ETHERNET_IPV4, self.operation,
            self.sender_mac, self.sender.packed, self.target_mac, self.target.packed,
        )  # fmt: skip


def decode(data: bytes) -> Arp:
    """The payload of a frame of ARP. Raises Malformed."""
    if len(data) < _BODY.size:
        raise Malformed("ARP", f"{len(data)} bytes, expected {_BODY.size}")
    *kinds, operation, sender_mac, sender, target_mac, target = _BODY.unpack_from(data)
    if tuple(kinds) != _ETHERNET_IPV4:
        raise Malformed("ARP", f"received hardware, protocol and sizes {kinds}, expected {list(_ETHERNET_IPV4)}")
    return Arp(operation, Mac(sender_mac), IPv4Address(sender), Mac(target_mac), IPv4Address(target))


def announcement(address: IPv4Address, has: Mac, says: Mac, vlan: int | None = None) -> Frame:
    """Tell all who know the address who has it from now on (gratuitous ARP). ``says`` is who sends the frame: switches
    learn from it where that one is, so it is always the sending card's own."""
    body = Arp(REQUEST, has, address, UNKNOWN, address)
    return Frame(BROADCAST, says, ethernet.ARP, body.encode(), vlan)


def answer(asked: Arp, has: Mac, says: Mac, vlan: int | None = None) -> Frame:
    """Tell who has asked who has the address."""
    body = Arp(REPLY, has, asked.target, asked.sender_mac, asked.sender)
    return Frame(asked.sender_mac, says, ethernet.ARP, body.encode(), vlan)


def probe(address: IPv4Address, says: Mac, to: Mac = BROADCAST, vlan: int | None = None) -> Frame:
    """Ask who has the address, without having one: no cache learns from it."""
    body = Arp(REQUEST, says, _NOBODY, UNKNOWN, address)
    return Frame(to, says, ethernet.ARP, body.encode(), vlan)
