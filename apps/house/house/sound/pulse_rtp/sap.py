"""Announcements of streams: SDP (RFC 8866) in SAP packets (RFC 2974), as PulseAudio's receiver reads them.

A receiver takes every stream that is announced to it. Each of ours listens at a loopback address of its own, at which
only this host's agent tells it of the one stream that is wanted: so it is heard at once, and what others announce in
the network is not heard at all.
"""

from __future__ import annotations

import socket
import zlib

from house.sound.wanted import Feed

PORT = 9875
_PAYLOAD = 127
_TYPE = b"application/sdp\0"
_VERSION_1, _GOODBYE = 0x20, 0x04


def origin(feed: Feed) -> str:
    """Who PulseAudio takes the stream's sender for: another one for each name, group and port."""
    session = zlib.crc32(f"{feed.name} {feed.group} {feed.port}".encode())
    return f"house {session} 0 IN IP4 127.0.0.1"


def address(room: str, feed: Feed) -> str:
    """Where the room's receiver is told of this stream: one of 127.64.0.0/10 for each pair of them."""
    number = zlib.crc32(f"{room} {origin(feed)}".encode())
    return f"127.{64 + (number >> 16) % 64}.{number >> 8 & 0xFF}.{number & 0xFF}"


def packet(feed: Feed, *, goodbye: bool = False) -> bytes:
    """The announcement of a stream, or that there is none any more."""
    lines = [
        "v=0", f"o={origin(feed)}", f"s={feed.name}", "t=0 0", "a=recvonly", f"m=audio {feed.port} RTP/AVP {_PAYLOAD}",
        f"c=IN IP4 {feed.group}", f"a=rtpmap:{_PAYLOAD} L16/48000/2", "a=type:broadcast",
    ]  # fmt: skip
    text = "".join(f"{line}\n" for line in lines).encode()
    digest = zlib.crc32(text) & 0xFFFF or 1  # RFC 2974: 0 would mean that it may not be cached
    head = bytes([_VERSION_1 | (_GOODBYE if goodbye else 0), 0]) + digest.to_bytes(2, "big")
    return head + socket.inet_aton("127.0.0.1") + _TYPE + text
