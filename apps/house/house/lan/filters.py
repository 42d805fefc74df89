"""Classic BPF programs: the kernel passes on only what concerns the machines that are watched over (see the kernel's
Documentation/networking/filter.rst). A frame that nobody needs costs no Python."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from house.lan import arp, ethernet, ip, ndp
from house.lan.errors import TooMany
from house.lan.mac import Mac

_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_AND, _JUMP, _EQUAL, _RETURN = 0x54, 0x05, 0x15, 0x06
_WHOLE = 0x40000
_INSTRUCTION = struct.Struct("=HBBI")
_LONGEST = 4096
"""Instructions of one program (BPF_MAXINSNS)."""

Instruction = tuple[int, int, int, int]
PASS: Instruction = (_RETURN, 0, 0, _WHOLE)
DROP: Instruction = (_RETURN, 0, 0, 0)

# Offsets in a frame whose VLAN tag the kernel has taken off.
_KIND, _SOURCE, _V4, _V6 = 12, 6, 14, 14
_ARP_OPERATION, _ARP_SENDER, _ARP_TARGET = 20, 28, 38
_V4_PROTOCOL, _V4_DESTINATION = _V4 + 9, _V4 + 16
_V6_NEXT, _V6_DESTINATION, _V6_BODY = _V6 + 6, _V6 + 24, _V6 + 40
_NDP_TARGET = _V6_BODY + 8


def watching(
    addresses: Iterable[ip.Address], claimed: Iterable[ip.Address], owners: Iterable[Mac]
) -> list[Instruction]:
    """Pass who asks for or claims one of the addresses, all that is sent to a claimed one, and every frame of the
    owners. Comparisons look at the last four bytes; whoever reads looks at the rest. Raises TooMany where it would
    be longer than the kernel takes, which are some hundreds of machines."""
    addresses, claimed = list(addresses), list(claimed)
    v4, v6 = [a for a in addresses if isinstance(a, IPv4Address)], [a for a in addresses if isinstance(a, IPv6Address)]
    parts = {
        ethernet.ARP: _arp(v4),
        ethernet.IPV4: _v4([a for a in claimed if isinstance(a, IPv4Address)]),
        ethernet.IPV6: _v6(v6, [a for a in claimed if isinstance(a, IPv6Address)]),
    }
    return _checked([*_by_kind(parts), *_load_and_match(_LOAD_WORD, _SOURCE + 2, [m[2:] for m in owners]), DROP])


def arp_requests() -> list[Instruction]:
    """Pass every question of ARP: who asks for many addresses looks for hosts, and for none of them."""
    asked = [(_LOAD_HALF, 0, 0, _ARP_OPERATION), (_EQUAL, 0, 1, arp.REQUEST), PASS, DROP]
    return [(_LOAD_HALF, 0, 0, _KIND), (_EQUAL, 1, 0, ethernet.ARP), DROP, *asked]


def encode(program: Iterable[Instruction]) -> bytes:
    """An array of ``struct sock_filter``."""
    return b"".join(_INSTRUCTION.pack(*each) for each in program)


def _by_kind(parts: dict[int, list[Instruction]]) -> list[Instruction]:
    """Each kind of frame has its part; what a part does not pass goes on behind all of them."""
    program: list[Instruction] = []
    behind = 0
    for kind, part in reversed(parts.items()):
        body = [*part, (_JUMP, 0, 0, behind)]
        program[:0] = [(_LOAD_HALF, 0, 0, _KIND), (_EQUAL, 1, 0, kind), (_JUMP, 0, 0, len(body)), *body]
        behind = len(program)
    return program


def _arp(addresses: list[IPv4Address]) -> list[Instruction]:
    packed = [a.packed for a in addresses]
    return [*_load_and_match(_LOAD_WORD, _ARP_TARGET, packed), *_load_and_match(_LOAD_WORD, _ARP_SENDER, packed)]


def _v4(claimed: list[IPv4Address]) -> list[Instruction]:
    found = _load_and_match(_LOAD_WORD, _V4_DESTINATION, [a.packed for a in claimed])
    return _if_one_of(_V4_PROTOCOL, (ip.TCP, ip.ICMP), found)


def _v6(addresses: list[IPv6Address], claimed: list[IPv6Address]) -> list[Instruction]:
    neighbours = _load_and_match(_LOAD_WORD, _NDP_TARGET + 12, [a.packed[12:] for a in addresses])
    asked = _load_and_match(_LOAD_WORD, _V6_DESTINATION + 12, [a.packed[12:] for a in claimed])
    of_neighbours = _if_one_of(_V6_BODY, (ndp.SOLICITATION, ndp.ADVERTISEMENT), neighbours)
    return [
        *_if_one_of(_V6_NEXT, (ip.ICMPV6,), of_neighbours),
        *_if_one_of(_V6_NEXT, (ip.TCP, ip.ICMPV6), asked),
    ]


def _if_one_of(offset: int, values: tuple[int, ...], then: list[Instruction]) -> list[Instruction]:
    """Skip ``then`` unless the byte at the offset is one of the values."""
    tests: list[Instruction] = [(_EQUAL, len(values) - n, 0, value) for n, value in enumerate(values)]
    return [(_LOAD_BYTE, 0, 0, offset), *tests, (_JUMP, 0, 0, len(then)), *then] if then else []


def _load_and_match(load: int, offset: int, values: list[bytes]) -> list[Instruction]:
    """Pass the frame if the word at the offset is one of the values."""
    if not values:
        return []
    program: list[Instruction] = [(load, 0, 0, offset)]
    for value in sorted(set(values)):
        program += [(_EQUAL, 0, 1, int.from_bytes(value, "big")), PASS]
    return program


def _checked(program: list[Instruction]) -> list[Instruction]:
    if len(program) > _LONGEST:
        raise TooMany(len(program), _LONGEST)
    return program
