"""The driver: rooms are told of their streams by their host's announcer, and not by whoever announces one in the
network; what comes of a stream, the host's ear hears."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from house.sound.heard import RoomHeard
from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources
from house.sound.pulse_rtp import ear, sap
from house.sound.pulse_rtp.announcer import Announcer
from house.sound.pulse_rtp.ear import Ear
from house.sound.pulse_rtp.lines import RtpLines
from house.sound.wanted import Feed, Room, Wanted

TOO_MANY = 0.02
"""Of a stream's packets: where more are lost, that is heard."""
SILENT_SECONDS = 5.0
"""After so long without a packet somebody may ask why."""
BETTER = "the engine snapcast"
SINGLE_MINDED = "the engines gst-netclock and snapcast"


class PulseRtp(PulseDriver):
    """See ``Driver``. ``start`` is what starts PulseAudio, if nobody else does, and leaves it running; it is that of
    the user as whom we run, or the one at ``address`` (as in PULSE_SERVER)."""

    def __init__(self, start: Sequence[str], address: str | None = None, sources: Sources | None = None) -> None:
        super().__init__(RtpLines(), Server(start, address), sources or Sources(address), Programs({}))
        self._announcer, self._ear = Announcer(), Ear(self._announce)
        self._feeds: dict[str, Feed] = {}
        """What each receiver is for."""

    def heed(self, wanted: Wanted) -> None:
        self._feeds = {
            sap.address(room.name, room.feed): room.feed
            for room in wanted.rooms
            if room.feed is not None and room.feed.host != wanted.host
        }
        if self._feeds:  # a host without such a room needs neither
            self._announcer.start()
            self._ear.start()
        self._ear.listen(feed.group for feed in self._feeds.values() if feed.port == ear.PORT)
        self._announce()

    def _announce(self) -> None:
        """PulseAudio (16.1, 17.0) ends of a second sender: ``pa_rtp_recv`` of its rtp-gstreamer.c fails then, and lets
        go of a chunk that it never had. So a stream to whose group somebody else sends is left, and is heard again when
        one of them is alone."""
        self._announcer.announce(
            {address: feed for address, feed in self._feeds.items() if not self._ear.contenders(feed.group)}
        )

    def doubt(self, feed: Feed) -> str:
        arrivals, now = self._ear.heard(feed.group), time.monotonic()
        if arrivals is None:
            return ""
        if arrivals.silent_for(now) > SILENT_SECONDS:
            return f"nothing of {feed.name} arrives here; where the network passes no multicast, {BETTER} needs none"
        if senders := self._ear.contenders(feed.group):
            return (
                f"{' and '.join(senders)} all send to {feed.group}, which is {feed.name}'s: nobody hears it until one"
                f" is left; {SINGLE_MINDED} hear only {feed.host}"
            )
        if (lost := arrivals.share_lost(now)) > TOO_MANY:
            return f"{lost:.0%} of {feed.name} is lost on its way here, which {BETTER} would bear"
        return ""

    def measured(self, room: Room, feed: Feed, heard: RoomHeard) -> RoomHeard:
        arrivals = self._ear.heard(feed.group)
        return heard if arrivals is None else replace(heard, lost=arrivals.lost, jitter_ms=arrivals.jitter_ms)

    def seen(self, room: Room, feed: Feed, *, fed: bool) -> None:
        arrivals = self._ear.heard(feed.group)
        began = arrivals.began if arrivals is not None else None
        self._announcer.seen(sap.address(room.name, feed), fed=fed, began=began)

    async def close(self) -> None:
        self._announcer.close()
        self._ear.close()
        await super().close()
