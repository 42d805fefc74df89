"""Players: the rooms in which streams are heard."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from msgspec import Meta

from house import kept
from house.names import Name
from house.playing import Engine
from house.rights import PEOPLE, SOUND, check_own
from midflight import Context, VersionedObject, field, from_row, remotable

WHAT = "room"
Volume = Annotated[int, Meta(ge=0, le=100)]
Offset = Annotated[float, Meta(ge=-1000, le=1000)]


class Player(VersionedObject, version="1.0"):
    """A room, and how it shall be: the stream patched to it, how loud in percent, and by how many milliseconds it plays
    later than others (earlier, where that is negative). What it really does is its ``Hearing``.

    ``sink`` is the sound card on its host, in the words of the engine; its default one, where it is empty. ``off_at``
    is the sleep timer: when the room falls silent.
    """

    id: int | None = None
    name: Name = field(read_only=True)
    host: Name
    sink: Annotated[str, Meta(max_length=255)] = ""
    engine: Engine = field(default=Engine.PULSE_RTP, fallback=Engine.UNKNOWN)
    stream: str | None = None
    volume: Volume = 70
    muted: bool = False
    offset_ms: Offset = 0.0
    off_at: datetime | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        """One room. Raises NotFound."""
        row = await context.db.read(kept.rows.one, kept.tables.players, WHAT, {"name": name})
        return from_row(cls, row, context=context)

    @remotable(allow=(*SOUND, *PEOPLE))
    async def create(self) -> None:
        """Let the house know of it; an agent, of one on its own host. Raises AlreadyExists, NotFound and NotYours."""
        check_own(self.context, self.host)
        self.id = await self.context.db.write(kept.players.add, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed of where it is, of its engine and its offset; streams are patched by ``PatchBay``, which
        asks more. Raises NotFound."""
        await self.context.db.write(kept.players.change, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """It is gone, also from groups and scenes. Its agent, where one still has it in its configuration, makes it
        known again. Raises NotFound."""
        await self.context.db.write(kept.players.remove, self.id, self.name)
