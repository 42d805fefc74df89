"""What a room's receiver is told of a stream."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from house.sound.pulse_rtp import sap
from house.sound.wanted import Feed

RADIO = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)


def test_a_packet() -> None:
    """It says where the stream is, and in which format, as RFC 2974 and RFC 8866 have it."""
    packet = sap.packet(RADIO)
    assert packet[:2] == b"\x20\0"
    assert packet[4:24] == b"\x7f\0\0\1application/sdp\0"
    lines = packet[24:].decode().splitlines()
    assert "m=audio 5004 RTP/AVP 127" in lines
    assert "c=IN IP4 239.255.12.1" in lines
    assert "a=rtpmap:127 L16/48000/2" in lines
    assert f"o={sap.origin(RADIO)}" in lines


def test_streams_are_told_apart() -> None:
    """A stream with another name, group or port is another one to a receiver, which listens at another address for it;
    so does another room's."""
    others = [
        Feed("news", "sink", "", "station", "239.255.12.1", 5004),
        Feed("radio", "sink", "", "station", "239.255.12.2", 5004),
        Feed("radio", "sink", "", "station", "239.255.12.1", 5006),
    ]
    assert len({sap.origin(feed) for feed in (RADIO, *others)}) == 4
    addresses = [sap.address("kitchen", feed) for feed in (RADIO, *others)] + [sap.address("office", RADIO)]
    assert len(set(addresses)) == 5
    assert all(IPv4Address(address) in IPv4Network("127.64.0.0/10") for address in addresses)
