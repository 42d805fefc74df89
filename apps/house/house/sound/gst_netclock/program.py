"""Send a stream, or play it: the program beside PulseAudio, of GStreamer's own elements.

It runs by the system's Python, which has GStreamer's bindings, and so imports nothing of ours. A stream's clock is that
of its host. Its sender tells everybody the time by it (``GstNetTimeProvider``), and the
timestamps of its RTP packets count samples from that clock's zero (as by ``mediaclk:direct=0`` of RFC 7273). A player
follows the clock over the network, plays each packet so much later as all players of the stream do, and resamples by
what its own card's clock is off. See "Synchronisation of multiple pipelines" in GStreamer's application development
manual.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

gi = importlib.import_module("gi")
gi.require_version("Gst", "1.0")
gi.require_version("GstNet", "1.0")
Gio, GLib, Gst, GstNet = (importlib.import_module(f"gi.repository.{name}") for name in ("Gio", "GLib", "Gst", "GstNet"))

UNKNOWN_HOST, CLOCK_TAKEN, GROUP_UNHEARD, NO_CARD = 3, 4, 5, 6
"""Exit codes, which say why: nobody reads what is written. Their words are in ``lines.py``."""

ELEMENTS = (
    "pulsesrc", "pulsesink", "cutter", "audioconvert", "rtpbin", "rtpL16pay", "rtpL16depay", "udpsrc", "udpsink",
)  # fmt: skip
"""What pipelines are made of, besides the core."""
RATE, TIMESTAMPS = 48_000, 2**32
PACKETS = f"application/x-rtp,media=audio,clock-rate={RATE},encoding-name=L16,channels=2,payload=96"
MS = 1_000_000
PACKET_NS = 5 * MS
"""How much sound is in a packet: two of them are what PulseAudio records at once."""
TTL = 1
"""A stream does not leave the house."""
QUIET_NS, QUIET_DB = 2_000 * MS, -90
"""After so long without a sound nothing is sent, until there is one: what is no louder than a sample's smallest step is
none."""
LOST_MS = 100
"""So long a packet may be on its way: then it is lost, and the next one is played."""
ROUNDING_NS = MS // 10
"""By less than that nothing is moved: timestamps are whole samples."""
CARD_MS = 200
"""How much sound PulseAudio has in hand: so long may a player be late."""
STEP_NS = 3 * MS
"""What is so far from where it belongs is moved there at once, and what is nearer by resampling. It is less than a
packet, for a packet cannot be played in no time."""
SILENT_NS = 10_000 * MS
"""After so long without the time a player begins anew: the stream's host may have slept, and its clock with it, or
have another address. Packets do not come while there is nothing to hear."""

# A card's clock is the line through what PulseAudio has said of it. That is wrong by as much as the card takes at once,
# and whatever the line is wrong by is heard; so it is a long one.
OBSERVATIONS, FIRST_OBSERVATIONS = 600, 20
"""So many, one each 0.1 s, and before there are so many there is no line."""
SETTLED = 5
"""Seconds: what is said of a card that has just begun does not count for the line."""
OFF_NS, OFF = 5 * MS, 3
"""A line is begun anew where the card has been so far from it for so many seconds: a card that was not fed in time
goes on later than it would have."""


def send(given: argparse.Namespace) -> int | str:
    """Send until that cannot be, and say why: an exit code, or words for whoever runs it by hand."""
    pipeline = Gst.parse_launch(
        f"pulsesrc name=source provide-clock=false ! audio/x-raw,format=S16LE,rate={RATE},channels=2 "
        f"! cutter leaky=true pre-length=0 run-length={QUIET_NS} threshold-dB={QUIET_DB} ! audioconvert "
        f"! rtpL16pay pt=96 timestamp-offset=0 perfect-rtptime=false min-ptime={PACKET_NS} max-ptime={PACKET_NS} "
        f"! udpsink host={given.group} port={given.port} ttl-mc={TTL} sync=false async=false"
    )
    source = pipeline.get_by_name("source")
    source.set_property("device", given.device)
    source.set_property("client-name", given.name)
    clock = Gst.SystemClock.obtain()
    try:
        _provider = GstNet.NetTimeProvider.new(clock, None, given.clock)  # it tells the time while it is there
    except TypeError:  # the bindings' word for none
        return CLOCK_TAKEN
    return _run(pipeline, clock)


def play(given: argparse.Namespace) -> int | str:
    """Play until that cannot be, and say why, as ``send`` does."""
    resolver, only = Gio.Resolver.get_default(), Gio.ResolverNameLookupFlags.IPV4_ONLY
    try:
        host = resolver.lookup_by_name_with_flags(given.host, only)[0]
    except GLib.Error:
        return UNKNOWN_HOST
    clock = GstNet.NetClientClock.new("sender", host.to_string(), given.clock, 0)
    if not clock.wait_for_sync(SILENT_NS):
        _begin_anew()  # the stream is not sent yet, or its host has another address by now
    pipeline = Gst.parse_launch(
        f"rtpbin name=rtp buffer-mode=synced latency={LOST_MS} "
        f'udpsrc name=network auto-multicast=false caps="{PACKETS}" ! rtp.recv_rtp_sink_0 '
        f"rtpL16depay name=sound ! pulsesink name=card slave-method=resample buffer-time={CARD_MS * 1000} "
        f"alignment-threshold={STEP_NS} discont-wait=0"
    )
    try:
        listening = _listening(given.group, given.port, host)
    except GLib.Error:
        return GROUP_UNHEARD
    pipeline.get_by_name("network").set_property("socket", listening)
    card = pipeline.get_by_name("card")
    card.set_property("device", given.device)
    card.set_property("client-name", given.name)
    pipeline.set_latency(given.latency * MS)  # else each player would wait as long as its own card needs
    pipeline.get_by_name("rtp").connect("pad-added", _heard, pipeline)
    packets = pipeline.get_by_name("sound").get_static_pad("sink")
    packets.add_probe(Gst.PadProbeType.BUFFER, _timed, card, given.offset * MS)
    time, line = Time(clock), Line(card, clock)

    def look() -> None:
        time.look()
        line.look()

    return _run(pipeline, clock, look)


def _listening(group: str, port: int, host: Any) -> Any:
    """A socket that hears what this host sends to the group, and nobody else."""
    listening = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM, Gio.SocketProtocol.UDP)
    address = Gio.InetAddress.new_from_string(group)
    listening.bind(Gio.InetSocketAddress.new(address, port), True)
    listening.join_multicast_group_ssm(address, host, None)
    return listening


def _heard(_: Any, pad: Any, pipeline: Any) -> None:
    """A sender is heard. A second one has taken the place of the first: its host may have another clock by now."""
    if pad.get_name().startswith("recv_rtp_src"):
        sound = pipeline.get_by_name("sound").get_static_pad("sink")
        if sound.is_linked():
            pipeline.get_bus().post(Gst.Message.new_application(pipeline, Gst.Structure.new_empty("another-sender")))
        else:
            pad.link(sound)


def _timed(_: Any, probed: Any, card: Any, offset: int) -> Any:
    """A packet comes. Its time is that at which the first one came here, and what was recorded since: move it to when
    it was recorded."""
    packet = probed.get_buffer()
    recorded = int.from_bytes(packet.extract_dup(4, 4), "big")  # RFC 3550: the timestamp
    ahead = (recorded - packet.pts * RATE // Gst.SECOND + TIMESTAMPS // 2) % TIMESTAMPS - TIMESTAMPS // 2
    wanted = offset + ahead * Gst.SECOND // RATE
    if abs(wanted - card.get_property("ts-offset")) > ROUNDING_NS:
        card.set_property("ts-offset", wanted)
    return Gst.PadProbeReturn.OK


class Time:
    """That of the stream's host: is it told?"""

    def __init__(self, clock: Any) -> None:
        self._told, self._at = Gst.Bus.new(), Gst.util_get_timestamp()
        clock.set_property("bus", self._told)  # a message for each answer

    def look(self) -> None:
        """Once a second: begin anew, where nobody has told it for too long."""
        now = Gst.util_get_timestamp()
        while self._told.pop() is not None:
            self._at = now
        if now - self._at > SILENT_NS:
            _begin_anew()


class Line:
    """That of a card, by the stream's clock."""

    def __init__(self, card: Any, clock: Any) -> None:
        self._card, self._clock = card, clock
        self._looks = self._off = 0

    def look(self) -> None:
        """Once a second: begin a new line, where it is time for one."""
        observed = self._card.provide_clock()
        if observed is None:
            return  # nothing has come to be played yet
        self._looks += 1
        is_off = abs(observed.get_time() - self._clock.get_time()) > OFF_NS
        self._off = self._off + 1 if is_off else 0
        if self._looks == SETTLED or (self._looks > SETTLED and self._off == OFF):
            self._off = 0
            observed.set_property("window-threshold", FIRST_OBSERVATIONS)
            observed.set_property("window-size", OBSERVATIONS)  # which forgets those that there were


def _run(pipeline: Any, clock: Any, each_second: Callable[[], None] = lambda: None) -> int | str:
    """Until it cannot go on, and why; what has to begin anew does, as the same process."""
    pipeline.use_clock(clock)
    pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
    pipeline.set_base_time(0)  # sender and players count from the same zero
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.APPLICATION
    while True:
        message = pipeline.get_bus().timed_pop_filtered(Gst.SECOND, kinds)
        if message is None:
            each_second()
        elif message.type == Gst.MessageType.ERROR:
            return NO_CARD if message.src.get_name() in ("source", "card") else _reason(message)
        elif message.type == Gst.MessageType.EOS:
            return "its source has ended"
        elif message.type == Gst.MessageType.APPLICATION:
            _begin_anew()


def _begin_anew() -> NoReturn:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _reason(error: Any) -> str:
    return str(error.parse_error()[0].message)


def check(_: argparse.Namespace) -> None:
    """Say which GStreamer this is, and what it lacks, in one line."""
    missing = [name for name in ELEMENTS if Gst.ElementFactory.find(name) is None]
    sys.stdout.write(" ".join([".".join(map(str, Gst.version()[:2])), *missing]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("act", choices=("send", "play", "check"))
    for name in ("--name", "--device", "--group", "--host"):
        parser.add_argument(name)
    for name in ("--port", "--clock", "--latency", "--offset"):
        parser.add_argument(name, type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    Gst.init(None)
    given = _arguments()
    sys.exit({"send": send, "play": play, "check": check}[given.act](given))
