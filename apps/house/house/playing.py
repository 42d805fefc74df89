"""What a stream is made of, what carries it, and how it stands with rooms and streams.

These grow from release to release, so each has a word for what a later release may say.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Where a stream comes from: what programs play into a sink of its own; a capture device, as of a TV; what another
    sink plays; a file, over and over; an internet radio."""

    SINK = "sink"
    CAPTURE = "capture"
    MONITOR = "monitor"
    FILE = "file"
    RADIO = "radio"
    UNKNOWN = "unknown"


class Engine(StrEnum):
    """What carries streams to a room."""

    PULSE_RTP = "pulse-rtp"
    SNAPCAST = "snapcast"
    GST_NETCLOCK = "gst-netclock"
    UNKNOWN = "unknown"


class Playing(StrEnum):
    """What a room does. It is *waiting* when it listens and nothing comes, *broken* when its engine does not run, and
    *unplugged* when its sound card is gone."""

    SILENT = "silent"
    PLAYING = "playing"
    WAITING = "waiting"
    BROKEN = "broken"
    UNPLUGGED = "unplugged"
    UNKNOWN = "unknown"


class Sent(StrEnum):
    """What a stream does. It is *idle* when there is nothing to be heard: then nothing is on the wire."""

    OFF = "off"
    SENDING = "sending"
    IDLE = "idle"
    BROKEN = "broken"
    UNKNOWN = "unknown"
