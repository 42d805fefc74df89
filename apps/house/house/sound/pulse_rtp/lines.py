"""PulseAudio's modules that send a stream to its multicast group, and play it in a room."""

from __future__ import annotations

from house.playing import Engine
from house.sound.pulse.modules import OURS, RATE, SHORTEST_MS, Line, Module, Sink, quoted, sink_of, source_of
from house.sound.pulse_rtp import sap
from house.sound.wanted import Feed, Room

NETWORK_MS = 500
"""How much of a stream a room keeps from the network before it plays: PulseAudio's own measure."""
TTL = 1
"""A stream does not leave the house."""
_MARKS = {"module-rtp-send": f'stream_name="{OURS}', "module-rtp-recv": 'sap_address="127.'}
"""By which ours are told from others'."""


class RtpLines:
    """See ``Carrier``."""

    engine = Engine.PULSE_RTP
    by_host_clock = False

    def sender(self, feed: Feed) -> Line:
        arguments = {"stream_name": sink_of(feed), "source": source_of(feed), "destination_ip": feed.group}
        return Module("module-rtp-send", f"{quoted(arguments)} port={feed.port} ttl={TTL} {RATE} format=s16be")

    def receiver(self, room: Room, sink: Sink, feed: Feed, server: str) -> Line:
        arguments = {"sap_address": sap.address(room.name, feed), "sink": sink.name}
        latency = max(SHORTEST_MS, NETWORK_MS + room.offset_ms)
        return Module("module-rtp-recv", f"{quoted(arguments)} latency_msec={latency}")

    def owns(self, line: Line) -> bool:
        return isinstance(line, Module) and line.name in _MARKS and _MARKS[line.name] in line.argument
