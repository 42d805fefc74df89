"""From a frame to what it says to whoever watches."""

from __future__ import annotations

from dataclasses import dataclass

from house.lan import arp, ethernet, icmp, ip, ndp, tcp
from house.lan.arp import Arp
from house.lan.ethernet import Frame
from house.lan.mac import Mac
from house.lan.ndp import Neighbour


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody asks a machine for something: a port of TCP, or an echo where there is no port."""

    sender: ip.Address
    target: ip.Address
    port: int | None


Said = Arp | Neighbour | Knock | None


def said(frame: Frame) -> Said:
    """What a frame says; None if it is only a sign that its sender lives. Raises Malformed."""
    if frame.kind == ethernet.ARP:
        return arp.decode(frame.payload)
    if frame.kind == ethernet.IPV4:
        return _asked(ip.decode_v4(frame.payload))
    if frame.kind == ethernet.IPV6:
        packet = ip.decode_v6(frame.payload)
        neighbour = ndp.decode(packet) if packet.protocol == ip.ICMPV6 else None
        return neighbour or _asked(packet)
    return None


def handed_on(frame: Frame, to: Mac, says: Mac) -> Frame:
    """The same request, as one hands it on to the machine that it is for. Raises Malformed."""
    four = frame.kind == ethernet.IPV4
    packet = ip.decode_v4(frame.payload) if four else ip.decode_v6(frame.payload)
    head = frame.payload[: (frame.payload[0] & 15) * 4 if four else 40]
    body = tcp.with_checksum(packet) if packet.protocol == ip.TCP else packet.payload
    return Frame(to, says, frame.kind, head + body, frame.vlan)


def _asked(packet: ip.Packet) -> Knock | None:
    if packet.protocol == ip.TCP:
        port = tcp.asked_port(packet.payload)
        return None if port is None else Knock(packet.source, packet.destination, port)
    return Knock(packet.source, packet.destination, None) if icmp.is_ping(packet) else None
