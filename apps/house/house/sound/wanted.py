"""What a host is to play and to send, in plain values: an engine needs no house to do it."""

from __future__ import annotations

import msgspec

TONE = "tone"
"""The kind of a stream that is a test signal. No stream of the house is of this kind."""


class Feed(msgspec.Struct, frozen=True):
    """A stream, as an engine sends it.

    ``kind`` says what it is fed by: ``sink`` (programs play into one of its own), ``capture`` (the source of that
    name), ``monitor`` (what the sink of that name plays), ``file`` or ``radio`` (a path or a URL), or TONE. It goes
    from ``host`` to the multicast ``group`` and ``port``. One that is not ``enabled`` goes nowhere, and programs that
    play into it have a place all the same: else they would be heard elsewhere.
    """

    name: str
    kind: str
    source: str
    host: str
    group: str
    port: int
    enabled: bool = True


class Room(msgspec.Struct, frozen=True):
    """A player: the engine's ``sink`` (its default one where this is empty), how loud in percent, how much later than
    the others in milliseconds, and which stream; silence where that is None, and ``why``, if that is not what somebody
    wished for."""

    name: str
    sink: str = ""
    volume: int = 100
    mute: bool = False
    offset_ms: int = 0
    feed: Feed | None = None
    why: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """All of it. The feeds are those that go out from this host; a room may have another host's. ``cards`` are this
    host's rooms of all engines, in the house's order and by what they play on: a card is the first one's."""

    host: str
    feeds: tuple[Feed, ...] = ()
    rooms: tuple[Room, ...] = ()
    cards: tuple[Room, ...] = ()
