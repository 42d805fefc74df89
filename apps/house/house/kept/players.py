"""The rows of rooms. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete

from house.kept import patching, rows
from house.kept.tables import groups, hearings, players, settings, sound_hosts, streams
from house.objects.player import WHAT, Player
from midflight import to_row


def add(connection: Connection, player: Player) -> int:
    """Answers its id. Raises AlreadyExists, and NotFound for its stream."""
    patching.check_name(connection, player.name)
    _check_stream(connection, player)
    return rows.add(connection, players, WHAT, player.name, to_row(player))


def change(connection: Connection, player: Player) -> None:
    """Raises NotFound, also for its stream, and for a host to which it is moved and that has no sound."""
    _check_stream(connection, player)
    values: dict[str, Any] = to_row(player, only_changes=True)
    if "host" in values:
        rows.one(connection, sound_hosts, "host with sound", {"name": values["host"]})
    rows.change(connection, players, WHAT, player.id, values)


def _check_stream(connection: Connection, player: Player) -> None:
    if player.stream is not None:
        rows.one(connection, streams, "stream", {"name": player.stream})


def remove(connection: Connection, id: int | None, name: str) -> None:
    """From groups and scenes, too. Raises NotFound."""
    rows.remove(connection, players, WHAT, id)
    for table in (settings, hearings):
        connection.execute(delete(table).filter_by(player=name))
    for group in rows.every(connection, groups, {}):
        left = [each for each in group["players"] if each != name]
        rows.change(connection, groups, "group", group["id"], {"players": left})
