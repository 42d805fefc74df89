"""The kernel passes what concerns the machines that are watched over, and drops the rest."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

import pytest

from house.lan import arp, ethernet, filters, ip, ndp
from house.lan.ethernet import Frame
from house.lan.filters import Instruction
from house.lan.mac import BROADCAST, UNKNOWN, Mac
from tests.lan import frames

FOUR, SIX = IPv4Address("192.0.2.7"), IPv6Address("2001:db8::7")
OTHER_FOUR, OTHER_SIX = IPv4Address("192.0.2.8"), IPv6Address("2001:db8::8")
BOTH: list[ip.Address] = [FOUR, SIX]
SO_ATTACH_FILTER = 26


def passes(program: list[Instruction], frame: Frame) -> bool:
    """Whether this machine's kernel passes the frame: to a local socket, whose filters are the same."""
    code = filters.encode(program)
    held = ctypes.create_string_buffer(code, len(code))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(code) // 8, ctypes.addressof(held))
        )
        ours.send(frame.encode())
        theirs.setblocking(False)
        try:
            return theirs.recv(2048) == frame.encode()
        except BlockingIOError:
            return False


def watching(claimed: Iterable[ip.Address] = (), owners: Iterable[Mac] = ()) -> list[Instruction]:
    return filters.watching(BOTH, claimed, owners)


def reply(sender: IPv4Address) -> Frame:
    body = arp.Arp(arp.REPLY, frames.ASKER, sender, frames.OWNER, OTHER_FOUR)
    return Frame(frames.OWNER, frames.ASKER, ethernet.ARP, body.encode())


def test_questions_for_the_machine_pass() -> None:
    """ARP for it or from it, and neighbour discovery of both kinds; those of others do not."""
    assert passes(watching(), frames.question(FOUR))
    assert passes(watching(), reply(FOUR))
    assert passes(watching(), frames.solicitation(SIX))
    assert passes(watching(), ndp.announcement(SIX, frames.ASKER, frames.ASKER))
    for other in frames.question(OTHER_FOUR), reply(OTHER_FOUR), frames.solicitation(OTHER_SIX):
        assert not passes(watching(), other)


@pytest.mark.parametrize(("target", "other"), [(FOUR, OTHER_FOUR), (SIX, OTHER_SIX)], ids=["IPv4", "IPv6"])
def test_what_is_sent_to_the_machine_passes_while_it_is_claimed(target: ip.Address, other: ip.Address) -> None:
    """Connections and pings to a claimed address pass; to another one they do not, and none before."""
    for frame in frames.syn(target, 22), frames.ping(target):
        assert passes(watching(claimed=[target]), frame)
        assert not passes(watching(), frame)
    assert not passes(watching(claimed=[target]), frames.syn(other, 22))


def test_every_frame_of_a_sleeping_owner_passes() -> None:
    """Whatever it says, it says that it is awake."""
    frames_of_owner = [
        frames.question(OTHER_FOUR, mac=frames.OWNER),
        frames.syn(OTHER_SIX, 80, mac=frames.OWNER),
        frames.syn(OTHER_FOUR, 80, mac=frames.OWNER),
        Frame(BROADCAST, frames.OWNER, 0x88CC, b"LLDP"),
    ]
    for frame in frames_of_owner:
        assert passes(watching(claimed=BOTH, owners=[frames.OWNER]), frame)
        assert not passes(watching(claimed=BOTH, owners=[frames.WATCHER]), frame)


def test_a_census_hears_questions_only() -> None:
    """Who asks for many hosts is counted by ARP requests, and by nothing else."""
    assert passes(filters.arp_requests(), frames.question(OTHER_FOUR))
    assert not passes(filters.arp_requests(), reply(FOUR))
    assert not passes(filters.arp_requests(), frames.syn(FOUR, 22))


def test_many_machines_are_watched() -> None:
    """Three hundred with two addresses each are one program, of which the last one passes."""
    four = [IPv4Address("10.0.0.0") + n for n in range(300)]
    six = [IPv6Address("2001:db8::") + n for n in range(300)]
    owners = [Mac(struct.pack("!HI", 512, 1000 + n)) for n in range(300)]
    program = filters.watching([*four, *six], [*four, *six], owners)
    assert passes(program, frames.question(four[-1]))
    assert passes(program, frames.syn(six[-1], 22))
    assert passes(program, frames.question(FOUR, mac=owners[-1]))
    assert not passes(program, frames.question(FOUR))


def test_more_machines_than_a_program_takes_are_refused() -> None:
    """The error says how many the kernel takes."""
    many: list[ip.Address] = [IPv4Address("10.0.0.0") + n for n in range(2000)]
    with pytest.raises(ValueError, match="the kernel takes 4096: watch fewer machines"):
        filters.watching(many, many, [])


def test_whoever_is_unknown_asks_nothing() -> None:
    """An announcement for the machine passes, so that a claim of another host is heard."""
    body = arp.Arp(arp.REQUEST, frames.ASKER, FOUR, UNKNOWN, FOUR)
    assert passes(watching(), Frame(BROADCAST, frames.ASKER, ethernet.ARP, body.encode()))
