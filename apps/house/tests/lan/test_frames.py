"""What is on the wire is read and written as others read and write it; what is no frame is refused in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from house.lan import arp, ethernet, hearing, ip, magic, ndp, tcp
from house.lan.errors import BadAddress, BadEthers, LanError, Malformed
from house.lan.ethernet import Frame
from house.lan.ethers import parse as parse_ethers
from house.lan.ethers import read as read_ethers
from house.lan.hearing import Knock, said
from house.lan.mac import BROADCAST, UNKNOWN, Mac
from tests.lan import frames

OWNER, WATCHER, ASKER = frames.OWNER, frames.WATCHER, frames.ASKER
FOUR, SIX = IPv4Address("192.0.2.7"), IPv6Address("2001:db8::7")


def test_a_mac_is_read_as_people_write_it() -> None:
    """Colons, hyphens, capitals and missing zeros are one address."""
    ways = ["00:16:3e:0a:2b:3c", "00-16-3E-0A-2B-3C", "0:16:3e:a:2b:3c"]
    assert {str(Mac.parse(way)) for way in ways} == {"00:16:3e:0a:2b:3c"}


@pytest.mark.parametrize(
    "text", ["", "00:16:3e:0a:2b", "00:16:3e:0a:2b:3g", "ff:ff:ff:ff:ff:ff", "0:0:0:0:0:0", "00:16-3e:0a:2b:3c"]
)
def test_a_wrong_mac_is_named(text: str) -> None:
    """No machine has a group's address or zeros; the error says what was received, and what is expected."""
    with pytest.raises(BadAddress) as wrong:
        Mac.parse(text)
    assert str(wrong.value) == (f"received {text!r}, expected the MAC address of one machine, like 00:16:3e:1a:2b:3c")


@pytest.mark.parametrize("text", ["house", "224.0.0.1", "127.0.0.1", "::", "ff02::1"])
def test_a_wrong_address_is_named(text: str) -> None:
    """An address that no machine has for itself cannot be guarded."""
    with pytest.raises(BadAddress, match="expected (an IPv4 or IPv6 address|the address of one machine)"):
        ip.parse(text)


def test_ethers_are_read_as_etherwake_reads_them() -> None:
    """Comments and empty lines are passed over."""
    found = parse_ethers("# ours\n00:16:3e:0a:2b:3c theobromine  # the big one\n\n")
    assert found == {"theobromine": Mac.parse("00:16:3e:0a:2b:3c")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("00:16:3e:0a:2b:3c", "ethers:1: received '00:16:3e:0a:2b:3c'; each line"),
        ("\nzz theobromine", "ethers:2: received 'zz', expected the MAC"),
        ("0:0:0:0:0:1 a\n0:0:0:0:0:2 a", "ethers:2: a is 00:00:00:00:00:01 above, and 00:00:00:00:00:02 here"),
    ],
)
def test_a_wrong_line_of_ethers_is_named(text: str, reason: str) -> None:
    """The error has the file, the line and what is wrong with it."""
    with pytest.raises(BadEthers, match=reason):
        parse_ethers(text, "ethers")


def test_ethers_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A file that is none is told; one that is not there, or that has other letters than ours in it, is no mistake."""
    with pytest.raises(LanError, match=r"cannot be read: Is a directory$"):
        read_ethers(tmp_path)
    assert read_ethers(tmp_path / "ethers") == {}
    (tmp_path / "ethers").write_bytes(b"0:0:0:0:0:1 a # B\xfcro")
    assert read_ethers(tmp_path / "ethers") == {"a": Mac.parse("0:0:0:0:0:1")}


def test_an_arp_request_is_what_the_standard_says() -> None:
    """Byte for byte, as tcpdump shows one."""
    frame = Frame(
        BROADCAST, ASKER, ethernet.ARP, arp.Arp(arp.REQUEST, ASKER, IPv4Address("192.0.2.1"), UNKNOWN, FOUR).encode()
    )
    assert frame.encode().hex() == (
        "ffffffffffff02000000000108060001080006040001020000000001c0000201000000000000c0000207"
    )
    assert said(ethernet.decode(frame.encode())) == arp.decode(frame.payload)


@pytest.mark.parametrize(
    ("sender", "asks"),
    [("192.0.2.1", True), ("0.0.0.0", False), ("192.0.2.7", False)],
    ids=["question", "probe", "gratuitous"],
)
def test_only_a_question_asks(sender: str, asks: bool) -> None:
    """A probe for a conflict and an announcement want nothing of the target."""
    assert arp.Arp(arp.REQUEST, ASKER, IPv4Address(sender), UNKNOWN, FOUR).asks is asks


def test_an_announcement_leaves_from_the_card_that_sends_it() -> None:
    """It may name another owner, and a switch still learns the truth."""
    frame = arp.announcement(FOUR, has=OWNER, says=WATCHER)
    heard = arp.decode(frame.payload)
    assert (frame.source, heard.sender_mac, heard.sender, heard.target) == (WATCHER, OWNER, FOUR, FOUR)
    assert heard.claims
    assert not heard.asks


def test_neighbours_are_read_and_written() -> None:
    """A solicitation and its answer say the same after the wire, with checksums that hold."""
    asked = said(frames.solicitation(SIX))
    assert isinstance(asked, ndp.Neighbour)
    assert (asked.asks, asked.target, asked.link) == (True, SIX, ASKER)
    answered = said(ndp.answer(asked, ASKER, has=WATCHER, says=WATCHER))
    assert isinstance(answered, ndp.Neighbour)
    assert (answered.kind, answered.target, answered.link) == (ndp.ADVERTISEMENT, SIX, WATCHER)


def test_duplicate_address_detection_asks_nothing() -> None:
    """It has no sender yet."""
    heard = said(frames.duplicate_detection(SIX))
    assert isinstance(heard, ndp.Neighbour)
    assert not heard.asks


def test_the_solicited_node_group_of_an_address() -> None:
    """The example of RFC 4291, 2.7.1."""
    assert ndp.group(IPv6Address("4037::01:800:200e:8c6c")) == IPv6Address("ff02::1:ff0e:8c6c")


@pytest.mark.parametrize("target", [FOUR, SIX], ids=["IPv4", "IPv6"])
def test_a_connection_that_is_asked_for_has_a_port(target: ip.Address) -> None:
    """The first segment knocks; those that follow do not, and a ping knocks at no port."""
    knock = said(frames.syn(target, 22))
    assert isinstance(knock, Knock)
    assert (knock.target, knock.port) == (target, 22)
    assert said(frames.syn(target, 22, flags=0x12)) is None
    ping = said(frames.ping(target))
    assert isinstance(ping, Knock)
    assert ping.port is None


def test_a_magic_packet_is_what_cards_look_for() -> None:
    """Both frames of a try have it, and neither has an empty source address, which bridges drop."""
    tries = magic.frames(OWNER, WATCHER, IPv4Address("192.0.2.2"), vlan=7)
    assert [frame.kind for frame in tries] == [ethernet.WAKE, ethernet.IPV4]
    assert all(magic.is_for(OWNER, frame.encode()) and not magic.is_for(ASKER, frame.encode()) for frame in tries)
    assert {frame.source for frame in tries} == {WATCHER}
    assert {struct.unpack_from("!HH", frame.encode(), 12) for frame in tries} == {(0x8100, 7)}
    packet = ip.decode_v4(tries[1].payload)
    assert (str(packet.destination), packet.protocol, ip.checksum(tries[1].payload[:20])) == (
        "255.255.255.255",
        ip.UDP,
        0,
    )


WHOLE: dict[str, Callable[[], Frame]] = {
    "ARP": lambda: frames.question(FOUR),
    "solicitation": lambda: frames.solicitation(SIX),
    "SYN over IPv4": lambda: frames.syn(FOUR, 22),
    "SYN over IPv6": lambda: frames.syn(SIX, 22),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_frame_that_is_cut_anywhere_is_malformed(name: str) -> None:
    """Not one cut of a good frame is read as something, and none raises anything else."""
    whole = WHOLE[name]().encode()
    for length in range(len(whole)):
        with pytest.raises(Malformed, match="^malformed "):
            hearing.said(ethernet.decode(whole[:length]))


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (arp.decode, b"\0\6" + bytes(26)),
        (ip.decode_v4, b"\x44" + bytes(40)),
        (ip.decode_v4, b"\x4f\0\0\x14" + bytes(16)),
        (ip.decode_v6, b"\x45" + bytes(40)),
        (tcp.asked_port, bytes(12) + b"\xf0\x02" + bytes(6)),
        (lambda data: ndp.decode(ip.Packet(SIX, SIX, ip.ICMPV6, data, 255)), b"\x87\0" + bytes(22)),
        (lambda data: ndp.decode(ip.Packet(SIX, SIX, ip.ICMPV6, data, 64)), b"\x87\0" + bytes(22)),
    ],
    ids=["ARP of token ring", "IPv4 of 16 bytes", "IPv4 of 60", "IPv6 of four", "TCP of 60", "checksum", "routed"],
)
def test_what_contradicts_itself_is_malformed(decode: Callable[[bytes], object], data: bytes) -> None:
    """Whoever sends it wakes nobody."""
    with pytest.raises(Malformed):
        decode(data)


def test_an_option_without_a_length_ends_nothing() -> None:
    """Reading the options of a neighbour comes to an end, whatever they say."""
    with pytest.raises(Malformed, match="an option is cut short"):
        said(frames.solicitation(SIX, options=b"\1\0" + bytes(6)))
