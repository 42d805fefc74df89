"""What is patched to what: each act is one transaction on the rooms that are meant.

A target is the name of a room or of a group, or ALL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, update

from house.errors import AlreadyExists, NotFound, NotNow
from house.kept import rows
from house.kept.tables import groups, players, streams
from house.names import ALL
from midflight import InvalidValue


def rooms_of(connection: Connection, target: str) -> list[str]:
    """The rooms that are meant. Raises NotFound."""
    if target == ALL:
        return [row["name"] for row in rows.every(connection, players, {})]
    if rows.every(connection, players, {"name": target}):
        return [target]
    for group in rows.every(connection, groups, {"name": target}):
        return list(group["players"])
    known = (row["name"] for table in (players, groups) for row in rows.every(connection, table, {}))
    raise NotFound.among("room or group", target, known)


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


def check_name(connection: Connection, name: str) -> None:
    """What a new room or group is called must be a target of its own. Raises AlreadyExists and InvalidValue."""
    if name == ALL:
        raise InvalidValue(path="name", received=repr(name), expected="another name: this one stands for every room")
    for what, table in (("room", players), ("group", groups)):
        if rows.every(connection, table, {"name": name}):
            raise AlreadyExists(what, name)


def in_use(connection: Connection, host: str) -> list[str]:
    """What is heard on a host, or comes from there, in words."""
    enabled = {row["name"]: row["host"] for row in rows.every(connection, streams, {"enabled": True})}
    return [
        f"{row['name']} hears {row['stream']}"
        for row in rows.every(connection, players, {})
        if row["stream"] in enabled and host in (row["host"], enabled[row["stream"]])
    ]
