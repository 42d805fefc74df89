"""What is patched to what: each act is one transaction on the rooms that are meant.

A target is the name of a room or of a group, or ALL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from house import rows
from house.errors import NotFound, NotNow
from house.objects import away, scene
from house.tables import groups, players, streams

ALL = "*"
"""Every room of the house."""


def rooms_of(connection: Connection, target: str) -> list[str]:
    """The rooms that are meant. Raises NotFound."""
    if target == ALL:
        return [row["name"] for row in rows.every(connection, players, {})]
    if rows.every(connection, players, {"name": target}):
        return [target]
    for group in rows.every(connection, groups, {"name": target}):
        return list(group["players"])
    raise NotFound("room or group", target)


def patch(connection: Connection, target: str, stream: str | None) -> list[str]:
    """Have them hear it; silence, where it is None. Answers which rooms these are. Raises NotFound, and NotNow for a
    stream that is disabled. Whoever chooses anew has no sleep timer any more."""
    if stream is not None and not rows.one(connection, streams, "stream", {"name": stream})["enabled"]:
        raise NotNow(stream, "it is disabled, so nothing would be heard: enable it first")
    return set_rooms(connection, target, {"stream": stream, "off_at": None})


def set_rooms(connection: Connection, target: str, values: Mapping[str, Any]) -> list[str]:
    """Give them these values. Answers which rooms these are. Raises NotFound."""
    names = rooms_of(connection, target)
    connection.execute(update(players).where(players.c.name.in_(names)).values(dict(values)))
    return names


def heed_times(connection: Connection, now: datetime) -> None:
    """Do what is due by now: rooms whose sleep timer has run out fall silent, scenes whose time has come are played,
    unless nobody is at home."""
    over = update(players).where(players.c.off_at <= now)
    connection.execute(over.values(stream=None, off_at=None))
    if away.latest(connection, now) is None:
        scene.heed(connection, now)
