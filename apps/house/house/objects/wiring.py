"""Wirings: what the agent of one host is to do, and what it says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from house import clock, kept
from house.names import Name
from house.objects.hearing import Hearing, Sending
from house.objects.player import Player
from house.objects.stream import Stream
from house.playing import Engine
from house.rights import SOUND, check_own
from midflight import Context, VersionedObject, field, remotable


class SoundHost(VersionedObject, version="1.0"):
    """A host with sound: the engines that it can use, what is wrong there in words, and when its agent spoke last."""

    name: Name
    engines: list[str] = field(default_factory=list)
    troubles: tuple[str, ...] = ()
    seen_at: datetime | None = None


class Wiring(VersionedObject, version="1.0"):
    """The part of the patch bay that is one host's: its ``players``, and all ``streams`` that these hear or that are
    sent from here (see ``Stream.host``). Each of the latter, where it is enabled, is sent by each of ``engines``: those
    by which some room of the house hears. A room that hears a stream of its own host needs none."""

    host: str
    streams: list[Stream] = field(default_factory=list)
    players: list[Player] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)

    @classmethod
    @remotable(allow=SOUND)
    async def report(cls, context: Context, host: SoundHost, hearings: list[Hearing], sendings: list[Sending]) -> Self:
        """Say how a host stands; the answer is what it is to do from now on. Scenes and sleep timers whose time has
        come are heeded first. What is said of rooms and streams that are not on this host is passed over. Raises
        NotYours for another host than the agent's own."""
        check_own(context, host.name)
        wiring: Self = await context.db.write(kept.wirings.report, cls, host, hearings, sendings, clock.now())
        return wiring
