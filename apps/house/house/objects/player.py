"""Players: the rooms in which streams are heard."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from msgspec import Meta
from sqlalchemy import Connection, delete

from house import patching, rows
from house.names import Name
from house.playing import Engine
from house.rights import PEOPLE, SOUND, check_own
from house.tables import groups, hearings, players, settings, streams
from midflight import Context, VersionedObject, field, from_row, remotable, to_row

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
        return from_row(cls, await context.db.read(rows.one, players, WHAT, {"name": name}), context=context)

    @remotable(allow=(*SOUND, *PEOPLE))
    async def create(self) -> None:
        """Let the house know of it; an agent, of one on its own host. Raises AlreadyExists, NotFound and NotYours."""
        check_own(self.context, self.host)
        self.id = await self.context.db.write(_insert, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed of where it is, of its engine and its offset; streams are patched by ``PatchBay``, which
        asks more. Raises NotFound."""
        await self.context.db.write(_save, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """It is gone, also from groups and scenes. Its agent, where one still has it in its configuration, makes it
        known again. Raises NotFound."""
        await self.context.db.write(_delete, self.id, self.name)


def _insert(connection: Connection, player: Player) -> int:
    patching.check_name(connection, player.name)
    _check_stream(connection, player)
    return rows.add(connection, players, WHAT, player.name, to_row(player))


def _save(connection: Connection, player: Player) -> None:
    _check_stream(connection, player)
    values: dict[str, Any] = to_row(player, only_changes=True)
    rows.change(connection, players, WHAT, player.id, values)


def _check_stream(connection: Connection, player: Player) -> None:
    if player.stream is not None:
        rows.one(connection, streams, "stream", {"name": player.stream})


def _delete(connection: Connection, id: int | None, name: str) -> None:
    rows.remove(connection, players, WHAT, id)
    for table in (settings, hearings):
        connection.execute(delete(table).filter_by(player=name))
    for group in rows.every(connection, groups, {}):
        left = [each for each in group["players"] if each != name]
        rows.change(connection, groups, "group", group["id"], {"players": left})
