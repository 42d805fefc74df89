"""Frames as an asker's kernel sends them."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from house.lan import arp, ethernet, ip, ndp
from house.lan.ethernet import Frame
from house.lan.mac import BROADCAST, UNKNOWN, Mac

OWNER, WATCHER, ASKER = (Mac.parse(f"02:00:00:00:00:{last}") for last in ("07", "02", "01"))
ASKER_FOUR, ASKER_SIX = IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")
SYN = 0x02


def question(
    target: IPv4Address, *, sender: IPv4Address = ASKER_FOUR, mac: Mac = ASKER, vlan: int | None = None
) -> Frame:
    """Who has the address?"""
    return Frame(BROADCAST, mac, ethernet.ARP, arp.Arp(arp.REQUEST, mac, sender, UNKNOWN, target).encode(), vlan)


def solicitation(
    target: IPv6Address, *, mac: Mac = ASKER, options: bytes | None = None, vlan: int | None = None
) -> Frame:
    """The same, of IPv6."""
    options = b"\1\1" + mac if options is None else options
    body = struct.pack("!BBHI", ndp.SOLICITATION, 0, 0, 0) + target.packed + options
    group = ndp.group(target)
    return _v6(Mac(b"\x33\x33" + group.packed[12:]), mac, group, ip.ICMPV6, body, vlan, hops=255)


def duplicate_detection(target: IPv6Address, mac: Mac = ASKER) -> Frame:
    """Somebody wants the address, and asks whether it is free: without a sender, and without options."""
    body = struct.pack("!BBHI", ndp.SOLICITATION, 0, 0, 0) + target.packed
    nobody, group = IPv6Address("::"), ndp.group(target)
    total = ip.checksum(ip.pseudo_header(nobody, group, len(body), ip.ICMPV6) + body)
    packet = ip.Packet(nobody, group, ip.ICMPV6, body[:2] + struct.pack("!H", total) + body[4:], 255)
    return Frame(Mac(b"\x33\x33" + group.packed[12:]), mac, ethernet.IPV6, ip.encode_v6(packet))


def syn(
    target: ip.Address, port: int, *, flags: int = SYN, mac: Mac = ASKER, to: Mac = WATCHER, vlan: int | None = None
) -> Frame:
    """A segment to a port."""
    segment = struct.pack("!HHIIBBHHH", 40_000, port, 1, 0, 5 << 4, flags, 64_000, 0, 0)
    return _packet(target, to, mac, ip.TCP, segment, vlan)


def ping(target: ip.Address, *, mac: Mac = ASKER, to: Mac = WATCHER, vlan: int | None = None) -> Frame:
    """An echo request."""
    four = isinstance(target, IPv4Address)
    body = struct.pack("!BBHHH", 8 if four else 128, 0, 0, 1, 1) + b"abcdefgh"
    return _packet(target, to, mac, ip.ICMP if four else ip.ICMPV6, body, vlan)


def _packet(target: ip.Address, to: Mac, mac: Mac, protocol: int, body: bytes, vlan: int | None) -> Frame:
    if isinstance(target, IPv6Address):
        return _v6(to, mac, target, protocol, body, vlan)
    fields = 0x45, 0, 20 + len(body), 0, 0, 64, protocol
    addresses = ASKER_FOUR.packed + target.packed
    total = ip.checksum(struct.pack("!BBHHHBBH", *fields, 0) + addresses)
    header = struct.pack("!BBHHHBBH", *fields, total)
    return Frame(to, mac, ethernet.IPV4, header + addresses + body, vlan)


def _v6(to: Mac, mac: Mac, target: IPv6Address, protocol: int, body: bytes, vlan: int | None, hops: int = 64) -> Frame:
    if protocol == ip.ICMPV6:
        total = ip.checksum(ip.pseudo_header(ASKER_SIX, target, len(body), protocol) + body)
        body = body[:2] + struct.pack("!H", total) + body[4:]
    packet = ip.Packet(ASKER_SIX, target, protocol, body, hops)
    return Frame(to, mac, ethernet.IPV6, ip.encode_v6(packet), vlan)
