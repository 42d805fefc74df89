"""All of the house's sound, gathered from the rows. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import Connection, Table

from house import clock
from house.kept import rows, scenes
from house.kept.tables import groups, hearings, players, sendings, sound_hosts, streams
from house.objects.group import Group
from house.objects.hearing import Hearing, Sending
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.stream import Stream
from house.objects.wiring import SoundHost
from midflight import VersionedObject, from_row

T = TypeVar("T", bound=VersionedObject)


def gather(connection: Connection, kind: type[PatchBay]) -> PatchBay:
    """All of it, as of now."""
    return kind(
        at=clock.now(),
        streams=_all(connection, streams, Stream),
        players=_all(connection, players, Player),
        groups=_all(connection, groups, Group),
        scenes=scenes.every(connection),
        hosts=_all(connection, sound_hosts, SoundHost),
        hearings=_all(connection, hearings, Hearing),
        sendings=_all(connection, sendings, Sending),
    )


def _all(connection: Connection, table: Table, kind: type[T]) -> list[T]:
    return [from_row(kind, row) for row in rows.every(connection, table, {})]
