"""Ethernet frames, with the VLAN that they belong to."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from house.lan.errors import Malformed
from house.lan.mac import Mac

ARP, IPV4, IPV6, WAKE, VLAN = 0x0806, 0x0800, 0x86DD, 0x0842, 0x8100
HEADER = 14
_TYPE = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``vlan`` is its number, None where it has no tag, or one that only gives a priority."""

    destination: Mac
    source: Mac
    kind: int
    """Its EtherType."""
    payload: bytes
    vlan: int | None = None

    def encode(self) -> bytes:
        """As it goes to the wire, with the tag in it. The network card pads it."""
        tag = b"" if self.vlan is None else struct.pack("!HH", VLAN, self.vlan)
        return b"".join((self.destination, self.source, tag, _TYPE.pack(self.kind), self.payload))


def decode(data: bytes, vlan: int | None = None) -> Frame:
    """A frame as a packet socket gives it: the kernel has taken the tag off, and tells of it beside. Raises
    Malformed."""
    if len(data) < HEADER:
        raise Malformed("frame", f"{len(data)} bytes, expected at least {HEADER}")
    (kind,) = _TYPE.unpack_from(data, 12)
    return Frame(Mac(data[:6]), Mac(data[6:12]), kind, data[HEADER:], vlan or None)
