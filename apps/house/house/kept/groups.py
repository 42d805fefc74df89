"""The rows of groups. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from sqlalchemy import Connection

from house.kept import patching, rows
from house.kept.tables import groups, players
from house.objects.group import WHAT, Group
from midflight import InvalidValue, to_row


def add(connection: Connection, group: Group) -> int:
    """Answers its id. Raises what ``Group.create`` does."""
    patching.check_name(connection, group.name)
    _check(connection, group)
    return rows.add(connection, groups, WHAT, group.name, to_row(group))


def change(connection: Connection, group: Group) -> None:
    """Raises what ``Group.save`` does."""
    _check(connection, group)
    rows.change(connection, groups, WHAT, group.id, to_row(group, only_changes=True))


def _check(connection: Connection, group: Group) -> None:
    for name in group.players:
        rows.one(connection, players, "room", {"name": name})
        if group.players.count(name) > 1:
            raise InvalidValue(path="Group.players", received=f"{name!r} twice", expected="each room once")
