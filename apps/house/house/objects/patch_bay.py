"""The patch bay: all of the house's sound at one time, and who hears what."""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from house import clock, kept
from house.objects.group import Group
from house.objects.hearing import Hearing, Sending
from house.objects.player import Player, Volume
from house.objects.scene import Scene
from house.objects.stream import Stream
from house.objects.wiring import SoundHost
from house.rights import PEOPLE
from midflight import Context, InvalidValue, VersionedObject, field, remotable

T = TypeVar("T", bound=VersionedObject)


class PatchBay(VersionedObject, version="1.0"):
    """Streams and rooms as they shall be, and as agents last said that they are; ``at`` is the conductor's time.

    Its acts are for a ``target``: the name of a room or of a group, or ``all``. Each is one transaction,
    answers which rooms these are, and raises NotFound. Tell agents by ``SoundAPI.changed``.
    """

    at: datetime
    streams: list[Stream] = field(default_factory=list)
    players: list[Player] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    hosts: list[SoundHost] = field(default_factory=list)
    hearings: list[Hearing] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)

    @classmethod
    @remotable
    async def get(cls, context: Context) -> Self:
        """All of it."""
        found: Self = await context.db.read(kept.patch_bays.gather, cls)
        return found

    @classmethod
    @remotable(allow=PEOPLE)
    async def patch(cls, context: Context, target: str, stream: str | None) -> list[str]:
        """Have them hear a stream; silence, where it is None. Raises NotNow for one that is disabled."""
        patched: list[str] = await context.db.write(kept.patching.patch, target, stream)
        return patched

    @classmethod
    @remotable(allow=PEOPLE)
    async def set_volume(cls, context: Context, target: str, volume: Volume) -> list[str]:
        """How loud they are, in percent."""
        changed: list[str] = await context.db.write(kept.patching.set_rooms, target, {"volume": volume})
        return changed

    @classmethod
    @remotable(allow=PEOPLE)
    async def mute(cls, context: Context, target: str, muted: bool = True) -> list[str]:
        """Have them be silent, though they go on hearing what they hear; or not any more."""
        changed: list[str] = await context.db.write(kept.patching.set_rooms, target, {"muted": muted})
        return changed

    @classmethod
    @remotable(allow=PEOPLE)
    async def turn_off_at(cls, context: Context, target: str, at: datetime | None) -> list[str]:
        """Set their sleep timer: they fall silent then; never, where it is None. Raises InvalidValue for a time that is
        over."""
        if at is not None and at <= clock.now():
            raise InvalidValue(path="sleep timer", received=at.isoformat(), expected="a time that is to come")
        changed: list[str] = await context.db.write(kept.patching.set_rooms, target, {"off_at": at})
        return changed
