"""IPv6's neighbour discovery (RFC 4861): who has an address, and who says so."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address

from house.lan import ethernet, ip
from house.lan.errors import Malformed
from house.lan.ethernet import Frame
from house.lan.mac import Mac

SOLICITATION, ADVERTISEMENT = 135, 136
_NOBODY = IPv6Address("::")
_ALL_NODES = IPv6Address("ff02::1")
_SOLICITED, _OVERRIDE = 0x4000_0000, 0x2000_0000
_SOURCE_LINK, _TARGET_LINK = 1, 2
_HOPS = 255
"""A packet that crossed a router has fewer, and is not believed."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A solicitation (somebody asks for ``target``) or an advertisement (somebody has it)."""

    kind: int
    sender: IPv6Address
    target: IPv6Address
    link: Mac | None
    """Of who asks, or who has it."""

    @property
    def asks(self) -> bool:
        """It wants to talk to the target: duplicate address detection has no sender yet."""
        return self.kind == SOLICITATION and self.sender != _NOBODY


def decode(packet: ip.Packet) -> Neighbour | None:
    """What a packet of ICMPv6 says of neighbours, None if it speaks of something else. Raises Malformed."""
    data = packet.payload
    if not data or data[0] not in (SOLICITATION, ADVERTISEMENT):
        return None
    if len(data) < 24 or packet.hops != _HOPS or data[1]:
        raise Malformed("neighbour discovery", f"{len(data)} bytes, {packet.hops} hops left, code {data[1:2].hex()}")
    source, destination = IPv6Address(packet.source.packed), IPv6Address(packet.destination.packed)
    if ip.checksum(ip.pseudo_header(source, destination, len(data), ip.ICMPV6) + data):
        raise Malformed("neighbour discovery", "its checksum is wrong")
    wanted = _SOURCE_LINK if data[0] == SOLICITATION else _TARGET_LINK
    return Neighbour(data[0], source, IPv6Address(data[8:24]), _options(data[24:]).get(wanted))


def _options(data: bytes) -> dict[int, Mac]:
    found: dict[int, Mac] = {}
    while data:
        if len(data) < 8 or not data[1] or len(data) < data[1] * 8:
            raise Malformed("neighbour discovery", "an option is cut short")
        found[data[0]] = Mac(data[2:8])
        data = data[data[1] * 8 :]
    return found


def group(address: IPv6Address) -> IPv6Address:
    """The group on which an address is asked for (RFC 4291, 2.7.1)."""
    return IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:])


def announcement(address: IPv6Address, has: Mac, says: Mac, vlan: int | None = None) -> Frame:
    """Tell all who know the address who has it from now on (unsolicited, overriding)."""
    body = _advertisement(address, has, 0)
    return _frame(address, _ALL_NODES, says, _mac_of(_ALL_NODES), body, vlan)


def answer(asked: Neighbour, to: Mac, has: Mac, says: Mac, vlan: int | None = None) -> Frame:
    """Tell who has asked who has the address. ``to`` is where the question came from."""
    body = _advertisement(asked.target, has, _SOLICITED)
    return _frame(asked.target, asked.sender, says, asked.link or to, body, vlan)


def probe(address: IPv6Address, says: Mac, to: Mac | None = None, vlan: int | None = None) -> Frame:
    """Ask who has the address, from the card's link-local one: the answer comes to us alone. One to a question without
    a sender goes to all, and would undo a claim in their caches."""
    body = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + address.packed + bytes((_SOURCE_LINK, 1)) + says
    return _frame(link_local(says), group(address), says, to or _mac_of(group(address)), body, vlan)


def link_local(mac: Mac) -> IPv6Address:
    """The address that a card has from its own (RFC 4291, appendix A)."""
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:])


def _advertisement(address: IPv6Address, has: Mac, flags: int) -> bytes:
    head = struct.pack("!BBHI", ADVERTISEMENT, 0, 0, flags | _OVERRIDE)
    return head + address.packed + bytes((_TARGET_LINK, 1)) + has


def _frame(source: IPv6Address, destination: IPv6Address, says: Mac, to: Mac, body: bytes, vlan: int | None) -> Frame:
    total = ip.checksum(ip.pseudo_header(source, destination, len(body), ip.ICMPV6) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    packet = ip.Packet(source, destination, ip.ICMPV6, body, _HOPS)
    return Frame(to, says, ethernet.IPV6, ip.encode_v6(packet), vlan)


def _mac_of(group: IPv6Address) -> Mac:
    """Where frames to a group go (RFC 2464)."""
    return Mac(b"\x33\x33" + group.packed[12:])
