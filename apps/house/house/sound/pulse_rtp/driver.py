"""The driver: rooms are told of their streams by their host's announcer, and not by whoever announces one in the
network."""

from __future__ import annotations

from collections.abc import Sequence

from house.sound.pulse.driver import PulseDriver
from house.sound.pulse.programs import Programs
from house.sound.pulse.server import Server
from house.sound.pulse.sources import Sources
from house.sound.pulse_rtp import sap
from house.sound.pulse_rtp.announcer import Announcer
from house.sound.pulse_rtp.lines import RtpLines
from house.sound.wanted import Feed, Room, Wanted


class PulseRtp(PulseDriver):
    """See ``Driver``. ``start`` is what starts PulseAudio, if nobody else does, and leaves it running; it is that of
    the user as whom we run, or the one at ``address`` (as in PULSE_SERVER)."""

    def __init__(self, start: Sequence[str], address: str | None = None, sources: Sources | None = None) -> None:
        super().__init__(RtpLines(), Server(start, address), sources or Sources(address), Programs({}))
        self._announcer = Announcer()

    async def ready(self) -> bool:
        is_new = await super().ready()
        self._announcer.start()
        return is_new

    def heed(self, wanted: Wanted) -> None:
        self._announcer.announce(
            {
                sap.address(room.name, room.feed): room.feed
                for room in wanted.rooms
                if room.feed is not None and room.feed.host != wanted.host
            }
        )

    def doubt(self, feed: Feed) -> str:
        senders = self._announcer.senders(feed)
        return f"{' and '.join(senders)} all send to {feed.group}, which is {feed.name}'s" if len(senders) > 1 else ""

    def seen(self, room: Room, feed: Feed, *, fed: bool) -> None:
        self._announcer.seen(sap.address(room.name, feed), fed=fed)

    async def close(self) -> None:
        self._announcer.close()
        await super().close()
